"""The shared rate limiter: one bucket for all replicas, and no outage of its own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio

from resilience.errors import RateLimited
from resilience.events import TierFailed
from resilience.rate_limit import RateLimitOptions
from resilience.redis_rate_limit import RedisRateLimiter, SharedRateLimitOptions
from resilience.testing import FakeClock, settle

from .conftest import Recorder
from .silence import lag_beside_a_silent_server


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the real server."""
    async with redis.asyncio.from_url(valkey_url) as connected:
        yield connected


def options(per_second: float, burst: int) -> SharedRateLimitOptions:
    prefix = f"test:{uuid.uuid4()}:"
    return SharedRateLimitOptions(RateLimitOptions(per_second, burst), prefix=prefix)


def patient(per_second: float, burst: int) -> SharedRateLimitOptions:
    """For the real server, which a busy machine may keep waiting."""
    return replace(options(per_second, burst), timeout_seconds=10.0)


async def taken(limiter: RedisRateLimiter, key: str) -> bool:
    try:
        await limiter.acquire(key)
    except RateLimited:
        return False
    return True


async def test_replicas_share_one_bucket(client: redis.asyncio.Redis) -> None:
    """Two replicas together let a burst through once, under any interleaving."""
    shared = patient(per_second=0.1, burst=10)
    replicas = [RedisRateLimiter("login", client, shared) for _ in range(2)]
    outcomes = await asyncio.gather(*(taken(replicas[n % 2], "a") for n in range(30)))
    assert sum(outcomes) == 10
    assert await taken(replicas[0], "b")


async def test_the_wait_is_told_and_the_key_goes_away_by_itself(
    client: redis.asyncio.Redis,
) -> None:
    """`retry_after` is what the server says; a full bucket is no key at all."""
    shared = patient(per_second=5, burst=1)
    limiter = RedisRateLimiter("login", client, shared)
    await limiter.acquire("a")
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire("a")
    assert caught.value.retry_after is not None
    assert 0.0 < caught.value.retry_after <= 0.2
    lifetime = await client.pttl(shared.prefix + "a")
    assert 0 < lifetime <= 200


async def test_a_server_that_lost_its_scripts_is_taught_again(client: redis.asyncio.Redis) -> None:
    """After SCRIPT FLUSH (a restart, a failover) the limiter goes on."""
    limiter = RedisRateLimiter("login", client, patient(per_second=1, burst=2))
    assert await taken(limiter, "a")
    await client.script_flush()
    assert await taken(limiter, "a")
    assert not await taken(limiter, "a")


class Stub:
    """A client whose server does what the test says."""

    def __init__(self, behaviour: Any) -> None:
        self.behaviour = behaviour
        self.calls = 0

    async def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        self.calls += 1
        return await self.behaviour()

    async def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any:
        return await self.evalsha("", numkeys)


async def refuse() -> None:
    raise ConnectionError("refused")


async def test_a_dead_server_is_bypassed_and_the_local_limit_holds(
    clock: FakeClock, recorder: Recorder
) -> None:
    """Every call is limited by this process alone, and after three failures nobody asks."""
    stub = Stub(refuse)
    limiter = RedisRateLimiter("login", stub, options(1, 5), clock=clock, events=recorder)
    outcomes = [await taken(limiter, "a") for _ in range(20)]
    assert outcomes == [True] * 5 + [False] * 15
    assert stub.calls == 3
    assert len(recorder.of(TierFailed)) == 3


async def test_a_server_that_came_back_is_used_again(clock: FakeClock) -> None:
    """After the bypass one call asks, and with its answer the server decides again."""
    stub = Stub(refuse)
    limiter = RedisRateLimiter("login", stub, options(1, 5), clock=clock)
    for _ in range(3):
        await taken(limiter, "a")

    async def wait_long() -> int:
        return 2_500_000

    stub.behaviour = wait_long
    clock.jump(3.0)
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire("a")
    assert caught.value.retry_after == pytest.approx(2.5)


async def test_a_hanging_server_costs_its_timeout_and_then_nothing(clock: FakeClock) -> None:
    """Each of three calls waits 50 ms; the others do not wait at all."""
    stub = Stub(asyncio.Event().wait)
    limiter = RedisRateLimiter("login", stub, options(100, 100), clock=clock)
    for _ in range(3):
        waiting = asyncio.create_task(limiter.acquire("a"))
        await clock.advance(0.05)
        await waiting
    at_once = asyncio.create_task(limiter.acquire("a"))
    await settle()
    assert at_once.done()


def test_a_blocking_server_never_blocks_the_loop() -> None:
    """While the server is silent on an open connection, the loop's lag stays below 5 ms."""

    def use(client: redis.asyncio.Redis) -> Callable[[], Awaitable[object]]:
        limiter = RedisRateLimiter("login", client, options(1_000, 1_000))
        return lambda: asyncio.gather(*(limiter.acquire(str(n)) for n in range(5)))

    assert asyncio.run(lag_beside_a_silent_server(use), debug=False) < 0.005
