"""Copies on a real server: ages by its clock, the younger copy wins, and they go away."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio

from resilience.copies import CopyKey
from resilience.fallback import CachedFallback, Freshness
from resilience.redis_copies import RedisCopies

from .silence import lag_beside_a_silent_server


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the real server."""
    async with redis.asyncio.from_url(valkey_url) as connected:
        yield connected


@pytest.fixture
def copies(client: redis.asyncio.Redis) -> RedisCopies:
    """Copies under a prefix of the test's own."""
    return RedisCopies(client, prefix=f"test:{uuid.uuid4()}:")


async def test_a_copy_comes_back_with_its_bytes_and_age(copies: RedisCopies) -> None:
    """The age is what it was when stored, plus what has passed on the server's clock."""
    await copies.put("a", b"\x00one\xff", age=20.0, lifetime=300.0)
    await asyncio.sleep(0.05)
    found = await copies.get("a")
    assert found is not None
    data, age = found
    assert data == b"\x00one\xff"
    assert 20.04 <= age < 30.0


async def test_a_younger_copy_is_not_replaced_by_an_older_one(copies: RedisCopies) -> None:
    """Whatever the order of writing, the younger one stays."""
    await copies.put("a", b"young", age=1.0, lifetime=300.0)
    await copies.put("a", b"old", age=100.0, lifetime=300.0)
    found = await copies.get("a")
    assert found is not None
    assert found[0] == b"young"
    await copies.put("a", b"younger", age=0.0, lifetime=300.0)
    found = await copies.get("a")
    assert found is not None
    assert found[0] == b"younger"


async def test_every_copy_has_an_end(copies: RedisCopies, client: redis.asyncio.Redis) -> None:
    """A copy lives for the rest of its lifetime; one that is over is not stored at all."""
    await copies.put("a", b"one", age=0.0, lifetime=0.05)
    await copies.put("b", b"one", age=300.0, lifetime=300.0)
    assert await copies.get("b") is None
    async with asyncio.timeout(5):
        while await copies.get("a") is not None:
            await asyncio.sleep(0.01)


async def test_a_discarded_copy_is_gone(copies: RedisCopies) -> None:
    """And asking for one that never was is no error."""
    await copies.put("a", b"one", age=0.0, lifetime=300.0)
    await copies.discard("a")
    assert await copies.get("a") is None
    await copies.discard("a")


async def test_what_is_no_copy_is_not_taken_for_one(client: redis.asyncio.Redis) -> None:
    """A key of somebody else's, or without an end, is as good as none."""
    prefix = f"test:{uuid.uuid4()}:"
    copies = RedisCopies(client, prefix=prefix)
    await client.set(prefix + "a", b"short", px=60_000)
    await client.set(prefix + "b", b"a long value that never ends")
    assert await copies.get("a") is None
    assert await copies.get("b") is None


def test_copies_without_a_prefix_are_refused() -> None:
    """They would share a namespace with everything else on the server."""
    with pytest.raises(ValueError, match="prefix"):
        RedisCopies(None, prefix="")  # type: ignore[arg-type]


class Text:
    """Text as UTF-8."""

    def encode(self, value: str) -> bytes:
        return value.encode()

    def decode(self, data: bytes) -> str:
        return data.decode()


def test_a_blocking_server_never_blocks_the_loop_nor_an_answer() -> None:
    """While the tier is silent on an open connection answers and local copies go on, lag below 5 ms."""

    def use(client: redis.asyncio.Redis) -> Callable[[], Awaitable[object]]:
        fallback = CachedFallback("users", shared=RedisCopies(client, prefix="test:"))
        key = CopyKey("users.profile.v1", "ana", "owner")

        async def answer() -> str:
            return "ana"

        async def fail() -> str:
            raise ConnectionError("down")

        async def everybody() -> bool:
            return True

        async def ask() -> None:
            live = await fallback.serve(key, answer, Text(), everybody)
            stale = await fallback.serve(key, fail, Text(), everybody)
            assert (live.freshness, stale.freshness) == (Freshness.LIVE, Freshness.STALE)

        return ask

    assert asyncio.run(lag_beside_a_silent_server(use), debug=False) < 0.005
