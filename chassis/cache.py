"""A cache that may be gone at any time: every failure is a miss, quickly, and is counted.

Commands run through a pipeline, whose breaker leaves a failing cache alone for a while, so that its
absence costs no time per request. Every key has a TTL and carries a namespace with a format version, so
that a changed struct never meets an old copy. Nothing is decided from the cache alone.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec.json import encode
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from chassis.metrics import Metrics
from chassis.settings import Secret
from chassis.tracing import Kind, span
from chassis.verdicts import judge
from resilience import BreakerOptions, Pipeline, PipelineOptions, ResilienceError

T = TypeVar("T")

TIMEOUT = 0.05
"""Seconds for one cache command: beyond it the source is the better place to ask."""

CONNECT_TIMEOUT = 0.25
POOL_SIZE = 20
POLICIES = PipelineOptions(
    breaker=BreakerOptions(
        window="consecutive",
        consecutive_failures=1,
        slow_seconds=TIMEOUT,
        break_seconds=1.0,
        break_max_seconds=10.0,
        break_jitter=0.0,
        probes=1,
        ramp_seconds=0.0,
    ),
)
"""Where no policy file says otherwise: the connection's own timeouts, and a rest after each failure."""

MAX_VALUE_BYTES = 100_000

FAILURES = (RedisError, OSError, TimeoutError, ResilienceError)
"""What a command may raise: the server, the network, or the policies."""

_SET_IF_NEWER = """
local held = redis.call('HGET', KEYS[1], 'v')
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


def open_redis(url: Secret) -> "Redis":
    """A bounded pool of connections with short timeouts and no retries of its own."""
    pool = BlockingConnectionPool.from_url(
        url.reveal(),
        max_connections=POOL_SIZE,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        retry=None,
        health_check_interval=0,
    )
    return Redis.from_pool(pool)  # closes the pool with itself


def describe(url: Secret) -> str:
    """Host and port of a cache, for messages."""
    parts = urlsplit(url.reveal())
    return f"{parts.hostname}:{parts.port or 6379}"


class CacheMetrics:
    """Counts what the caches of a process answered. One per process, shared by its caches."""

    def __init__(self, metrics: Metrics, caches: Sequence[str]) -> None:
        self.requests = metrics.counter(
            "cache_requests_total",
            "Cache look-ups by result",
            cache=caches,
            result=("hit", "miss", "stale", "error"),
        )


class Cache(Generic[T]):
    """Versioned entries of one type under `namespace`.

    Args:
        redis: None when there is no cache; then everything is a miss.
        ttl: seconds that an entry lives; up to a tenth is taken off at random, so that entries written
            together do not end together.
        pipeline: the policies around the cache.
    """

    def __init__(
        self,
        redis: "Redis | None",
        namespace: str,
        kind: type[T],
        *,
        ttl: float,
        metrics: CacheMetrics,
        pipeline: Pipeline | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._redis = redis
        self._namespace = namespace
        self._decoder = msgspec.json.Decoder(kind)
        self._ttl = ttl
        self._rng = rng or random.Random()  # noqa: S311 - jitter is not a secret
        pipeline = pipeline or Pipeline("valkey", POLICIES, classifier=judge)
        self._read = pipeline.read(self._fetch)
        self._write = pipeline.mutation(self._store)
        self._delete = pipeline.mutation(self._remove)
        self._cache = namespace.partition(":")[0]
        self._count = {
            result: metrics.requests.labels(self._cache, result)
            for result in ("hit", "miss", "error")
        }

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, T]:
        """The entries that are there, in one round trip. An unreadable one is a miss."""
        if self._redis is None or not keys:
            return {}
        try:
            with span("cache get", Kind.CLIENT) as asking:
                asking.tell("db.system.name", "redis")
                asking.tell("baluarte.cache", self._cache)
                answers = await self._read(self._redis, keys)
        except FAILURES:
            self._count["error"].inc()
            return {}
        found: dict[str, T] = {}
        for key, raw in zip(keys, answers, strict=True):
            value = self._decode(raw)
            if value is not None:
                found[key] = value
        self._count["hit"].inc(len(found))
        self._count["miss"].inc(len(keys) - len(found))
        return found

    async def set_if_newer(self, key: str, version: int, value: T) -> bool:
        """Keep `value` unless a newer version is kept already. See `set_many_if_newer`."""
        return await self.set_many_if_newer({key: (version, value)})

    async def set_many_if_newer(self, entries: Mapping[str, tuple[int, T]]) -> bool:
        """Keep values unless newer versions are kept already, in one round trip.

        False when the cache could not be told, so that a caller who must, tries again.
        """
        if self._redis is None:
            return True
        encoded = {key: (version, encode(value)) for key, (version, value) in entries.items()}
        small = {key: item for key, item in encoded.items() if len(item[1]) <= MAX_VALUE_BYTES}
        try:
            with span("cache set", Kind.CLIENT) as telling:
                telling.tell("db.system.name", "redis")
                telling.tell("baluarte.cache", self._cache)
                await self._write(self._redis, small)
        except FAILURES:
            self._count["error"].inc()
            return False
        return True

    async def drop(self, keys: Sequence[str]) -> bool:
        """Forget entries. False when the cache could not be told, so that the caller tries again."""
        if self._redis is None or not keys:
            return True
        try:
            await self._delete(self._redis, keys)
        except FAILURES:
            self._count["error"].inc()
            return False
        return True

    async def _fetch(self, redis: "Redis", keys: Sequence[str]) -> list[Any]:
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(self._name(key), "d")
            return await pipe.execute()

    async def _store(self, redis: "Redis", entries: Mapping[str, tuple[int, bytes]]) -> None:
        async with redis.pipeline(transaction=False) as pipe:
            for key, (version, data) in entries.items():
                milliseconds = int(self._ttl * 1000 * self._rng.uniform(0.9, 1.0))
                pipe.eval(_SET_IF_NEWER, 1, self._name(key), version, data, milliseconds)
            await pipe.execute()

    async def _remove(self, redis: "Redis", keys: Sequence[str]) -> None:
        await redis.delete(*(self._name(key) for key in keys))

    def _name(self, key: str) -> str:
        return f"baluarte:{self._namespace}:{key}"

    def _decode(self, raw: Any) -> T | None:
        if raw is None:
            return None
        try:
            return self._decoder.decode(raw)
        except msgspec.MsgspecError:
            return None
