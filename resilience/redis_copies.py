"""Shared copies in Redis or Valkey, through a narrow port; imports no client library.

Ages are measured by the server: a copy is stored with the time that it has left to live, and
what has passed of that is its age. No two machines' clocks are compared. A younger copy is never
replaced by an older one: it has longer to live.
"""

import struct
from collections.abc import Awaitable
from typing import Any, Protocol

__all__ = ["RedisCopies", "RedisScripts"]

_GET = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}"
_PUT = """
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

#: Before the copy's bytes: how long it lives in all, in milliseconds. Another process may have
#: been configured otherwise.
_HEADER = struct.Struct(">Q")


class RedisScripts(Protocol):
    """What is used of a client; `redis.asyncio.Redis` fits (with `decode_responses` off)."""

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Awaitable[Any]: ...

    def delete(self, *names: str) -> Awaitable[Any]: ...


class RedisCopies:
    """`SharedCopies` in Redis."""

    def __init__(self, client: RedisScripts, *, prefix: str) -> None:
        if not prefix:
            raise ValueError("copies need a prefix of their own among the server's keys")
        self._client = client
        self._prefix = prefix

    async def get(self, key: str) -> tuple[bytes, float] | None:
        data, left = await self._client.eval(_GET, 1, self._prefix + key)
        if data is None or left < 0 or len(data) < _HEADER.size:
            return None
        (lifetime,) = _HEADER.unpack_from(data)
        return data[_HEADER.size :], max(0, lifetime - left) / 1000

    async def put(self, key: str, data: bytes, age: float, lifetime: float) -> None:
        left = int((lifetime - age) * 1000)
        if left > 0:
            stored = _HEADER.pack(int(lifetime * 1000)) + data
            await self._client.eval(_PUT, 1, self._prefix + key, stored, left)

    async def discard(self, key: str) -> None:
        await self._client.delete(self._prefix + key)
