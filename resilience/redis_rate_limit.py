"""The rate limiter shared by replicas, in Redis or Valkey, by one atomic script.

It takes a client object through a narrow port and imports no client library. The time is the
server's. When the server is slow or away, the local limiter decides alone, and the server is left
alone for a while: a rate limit is not worth an outage of its own.
"""

import asyncio
import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.errors import CircuitOpen, RateLimited
from resilience.events import SILENT, Emitter, TierFailed
from resilience.options import Rule, require
from resilience.policy import tell_rejection
from resilience.rate_limit import RateLimiter, RateLimitOptions
from resilience.timeout import AttemptTimeout, TimeoutOptions

__all__ = ["RedisRateLimiter", "ScriptClient", "SharedRateLimitOptions"]

#: GCRA in microseconds on the server's clock. Returns how many to wait, 0 = taken. A key lives no
#: longer than its bucket takes to fill.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0')
if full_at < now then full_at = now end
local early = full_at - now - tolerance
if early > 0 then return early end
full_at = full_at + interval
local lifetime = math.ceil((full_at - now) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', lifetime)
return 0
"""
_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class ScriptClient(Protocol):
    """The two commands that are used; `redis.asyncio.Redis` and `valkey.asyncio.Valkey` fit."""

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Awaitable[Any]: ...

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class SharedRateLimitOptions:
    """The shared limit, and how much patience the server gets."""

    limit: RateLimitOptions = RateLimitOptions()  # noqa: RUF009 - frozen
    #: Prefix of the keys in Redis.
    prefix: str = "rate:"
    #: The server gets this long; it usually takes less than a millisecond.
    timeout_seconds: float = 0.05
    #: After three failures in a row the server is left alone for this long.
    bypass_seconds: float = 2.0

    def __post_init__(self) -> None:
        require(
            self,
            Rule(bool(self.prefix), "prefix", "must not be empty: keys share one namespace"),
            Rule(self.timeout_seconds > 0, "timeout_seconds", "must be above 0"),
            Rule(0 < self.bypass_seconds <= 60, "bypass_seconds", "must be above 0, at most 60"),
        )


class RedisRateLimiter:
    """Token buckets that all replicas share."""

    def __init__(
        self,
        source: str,
        client: ScriptClient,
        options: SharedRateLimitOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
    ) -> None:
        self.source = source
        self.options = options or SharedRateLimitOptions()
        self._client = client
        self._events = events
        self._local = RateLimiter(source, self.options.limit, clock=clock, events=events)
        self._timeout = AttemptTimeout(
            source, TimeoutOptions(self.options.timeout_seconds), clock=clock
        )
        self._breaker = CircuitBreaker(
            f"{source}:server",
            BreakerOptions(
                window="consecutive",
                consecutive_failures=3,
                slow_seconds=self.options.timeout_seconds,
                break_seconds=self.options.bypass_seconds,
                probes=1,
                ramp_seconds=0.0,
            ),
            clock=clock,
        )
        limit = self.options.limit
        self._interval = max(1, round(1e6 / limit.per_second))
        self._tolerance = (limit.burst - 1) * self._interval

    async def acquire(self, key: str) -> None:
        """Take a token from the bucket of `key`, or raise `RateLimited`."""
        try:
            early = await self._breaker.call_async(self._timeout.call, self._ask, key)
        except CircuitOpen:
            self._local.acquire(key)
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the limiter stands
            if self._events.listening:
                self._events.emit(TierFailed(self.source, "rate-limit", error))
            self._local.acquire(key)
        else:
            if early > 0:
                raise tell_rejection(self._events, RateLimited(self.source, early / 1e6))

    async def _ask(self, key: str) -> float:
        name = self.options.prefix + key
        try:
            early = await self._client.evalsha(_SHA, 1, name, self._interval, self._tolerance)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if "NOSCRIPT" not in str(error).upper() and type(error).__name__ != "NoScriptError":
                raise
            early = await self._client.eval(SCRIPT, 1, name, self._interval, self._tolerance)
        return float(early)
