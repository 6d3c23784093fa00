"""A cache may be gone at any time, and that is only slower."""

from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from baluarte.embedded.ports import free_port
from chassis.cache import POLICIES, Cache, CacheMetrics, open_redis
from chassis.metrics import Metrics
from chassis.settings import Secret
from chassis.verdicts import judge
from resilience import Pipeline
from resilience.testing import FakeClock


class Entry(msgspec.Struct):
    text: str


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_url)  # patient, since these tests are about what is kept
    yield client
    await client.aclose()


def cache_on(redis: "Redis | None", clock: FakeClock | None = None) -> tuple[Cache[Entry], Metrics]:
    metrics = Metrics()
    cache = Cache(
        redis,
        f"profiles:{uuid4().hex[:8]}",
        Entry,
        ttl=60.0,
        metrics=CacheMetrics(metrics, ("profiles",)),
        pipeline=Pipeline("valkey", POLICIES, clock=clock or FakeClock(), classifier=judge),
    )
    return cache, metrics


def count(metrics: Metrics, result: str) -> float:
    labels = {"cache": "profiles", "result": result}
    return metrics.registry.get_sample_value("cache_requests_total", labels) or 0.0


async def test_what_is_set_is_found(redis: "Redis") -> None:
    """Many keys in one look-up: those that are there, and only those."""
    cache, metrics = cache_on(redis)
    await cache.set_if_newer("a", 1, Entry("one"))

    assert await cache.get_many(["a", "b"]) == {"a": Entry("one")}
    assert (count(metrics, "hit"), count(metrics, "miss")) == (1, 1)


async def test_an_older_version_never_replaces_a_newer(redis: "Redis") -> None:
    """Two writers in the wrong order leave the newer entry, whoever comes last."""
    cache, _ = cache_on(redis)
    await cache.set_if_newer("a", 10, Entry("new"))
    await cache.set_if_newer("a", 9, Entry("old"))

    assert await cache.get_many(["a"]) == {"a": Entry("new")}


async def test_every_entry_ends(redis: "Redis") -> None:
    """Each key has a TTL, near the one asked for and never above it."""
    cache, _ = cache_on(redis)
    await cache.set_if_newer("a", 1, Entry("one"))

    assert 50_000 <= await redis.pttl(cache._name("a")) <= 60_000


async def test_dropped_means_gone(redis: "Redis") -> None:
    """After a drop that says so the entry is not found."""
    cache, _ = cache_on(redis)
    await cache.set_if_newer("a", 1, Entry("one"))

    assert await cache.drop(["a"])
    assert await cache.get_many(["a"]) == {}


async def test_an_unreadable_entry_is_a_miss(redis: "Redis") -> None:
    """A copy in another shape is as good as none."""
    cache, _ = cache_on(redis)
    await redis.hset(cache._name("a"), mapping={"v": 1, "d": b"[1]"})

    assert await cache.get_many(["a"]) == {}


async def test_a_dead_cache_is_a_quick_miss() -> None:
    """Every command fails softly and is counted; for a second the cache is not even asked."""
    clock = FakeClock()
    dead = open_redis(Secret(f"redis://127.0.0.1:{free_port()}/0"))
    cache, metrics = cache_on(dead, clock)

    assert await cache.get_many(["a"]) == {}
    await cache.set_if_newer("a", 1, Entry("one"))
    assert await cache.get_many(["a"]) == {}
    assert count(metrics, "error") == 3

    assert POLICIES.breaker is not None
    await clock.advance(POLICIES.breaker.break_seconds + 0.01)
    assert await cache.get_many(["a"]) == {}
    assert count(metrics, "error") == 4
    assert await cache.drop(["a"]) is False
    await dead.aclose()


async def test_no_cache_at_all() -> None:
    """Without a cache configured everything is a miss, and there is nothing to drop."""
    cache, _ = cache_on(None)
    await cache.set_if_newer("a", 1, Entry("one"))

    assert await cache.get_many(["a"]) == {}
    assert await cache.drop(["a"])


async def test_too_large_an_entry_is_not_kept(redis: "Redis") -> None:
    """One value cannot fill the cache."""
    cache, _ = cache_on(redis)
    await cache.set_if_newer("a", 1, Entry("x" * 200_000))

    assert await cache.get_many(["a"]) == {}
