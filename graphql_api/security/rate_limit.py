"""Rate limits shared by all gateways through Valkey, and kept by each alone while Valkey is away."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis

from chassis import logs
from chassis.cache import FAILURES
from graphql_api.security.windows import Decision, Window, decide
from resilience import Pipeline

MAX_CLIENTS = 50_000
"""Most clients counted in this process; the least recently seen is forgotten first."""

PREFIX = "baluarte:limit:"

TAKE = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local span = tonumber(ARGV[2])
local index = math.floor(ms / span)
local elapsed = ms - index * span
local kept = redis.call('HMGET', KEYS[1], 'i', 'p', 'c')
local previous, current = 0, 0
local at = tonumber(kept[1])
if at == index then
  previous, current = tonumber(kept[2]), tonumber(kept[3])
elseif at == index - 1 then
  previous = tonumber(kept[3])
end
local used = previous * ((span - elapsed) / span) + current
if used + 1 <= tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'i', index, 'p', previous, 'c', current + 1)
  redis.call('PEXPIRE', KEYS[1], span * 2)
end
return {previous, current, elapsed}
"""
"""The window of `windows.decide` on the server's clock, in one step, so that gateways never miscount."""

_log = logs.get("rate_limit")


class Store(Protocol):
    """Counts one request against a window."""

    async def take(self, key: str, window: Window) -> Decision: ...


class LocalStore:
    """Counts in this process.

    Args:
        monotonic: the clock of the spans.
    """

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, max_clients: int = MAX_CLIENTS
    ) -> None:
        self._monotonic = monotonic
        self._max_clients = max_clients
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    async def take(self, key: str, window: Window) -> Decision:
        now = self._monotonic()
        index = int(now // window.seconds)
        at, previous, current = self._counts.get(key, (index, 0, 0))
        if at == index - 1:
            previous, current = current, 0
        elif at != index:
            previous, current = 0, 0
        decision = decide(
            window, previous=previous, current=current, elapsed=now - index * window.seconds
        )
        self._counts[key] = (index, previous, current + int(decision.allowed))
        self._counts.move_to_end(key)
        if len(self._counts) > self._max_clients:
            self._counts.popitem(last=False)
        return decision


class ValkeyStore:
    """Counts in Valkey. Raises `RedisError` or `OSError` when it cannot."""

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(TAKE)

    async def take(self, key: str, window: Window) -> Decision:
        previous, current, elapsed = await self._take(
            keys=[PREFIX + key], args=[window.limit, int(window.seconds * 1000)]
        )
        return decide(window, previous=previous, current=current, elapsed=elapsed / 1000)


class GuardedStore:
    """`Store` behind the policies of what it asks: short, and left alone for a while when it fails."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        # Counting a request twice would be a lie about the client: never retried.
        self._take = pipeline.mutation(store.take)

    async def take(self, key: str, window: Window) -> Decision:
        return await self._take(key, window)


class FallbackStore:
    """Counts in `first`, and in `second` whenever `first` cannot.

    Args:
        fell_back: told of each decision that `second` made.
    """

    def __init__(
        self,
        first: Store,
        second: Store,
        *,
        fell_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._first = first
        self._second = second
        self._fell_back = fell_back
        self._away = False

    async def take(self, key: str, window: Window) -> Decision:
        try:
            decision = await self._first.take(key, window)
        except FAILURES as error:
            self._tell(away=True, error=error)
        else:
            self._tell(away=False)
            return decision
        self._fell_back()
        return await self._second.take(key, window)

    def _tell(self, *, away: bool, error: Exception | None = None) -> None:
        """Log the change, and not every request of an outage."""
        if away != self._away:
            self._away = away
            _log.warning(
                "rate limits are local" if away else "rate limits are shared again",
                dependency="valkey",
                error=type(error).__name__ if error else None,
            )


def client_key(kind: str, identity: str) -> str:
    """The key of a client's count: hashed, so that no address and no e-mail lies in the store."""
    digest = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=16, person=b"rate")
    return f"{kind}:{digest.hexdigest()}"
