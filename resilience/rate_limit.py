"""The rate limiter: a token bucket per key, kept as one number.

GCRA, the "virtual scheduling" form of a token bucket (ITU-T I.371): instead of counting tokens it
keeps the time at which the bucket will be full again. A call may pass when that time is at most
`burst` calls away. A key whose bucket is full is the same as an unknown one, so forgetting it
loses nothing. Limits shared between processes: `resilience.redis_rate_limit`.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.errors import RateLimited
from resilience.events import SILENT, Emitter
from resilience.options import Rule, require
from resilience.policy import Policy, tell_rejection

__all__ = ["RateLimitOptions", "RateLimiter"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RateLimitOptions:
    """How many calls, and how many at once."""

    #: Calls per second in the long run.
    per_second: float = 100.0
    #: Calls at once after a pause. A fifth of a second's worth smooths what people do.
    burst: int = 20
    #: Keys remembered. 100,000 take about 15 MB; beyond, full buckets go first.
    max_keys: int = 100_000

    def __post_init__(self) -> None:
        require(
            self,
            Rule(self.per_second > 0, "per_second", "must be above 0"),
            Rule(self.burst >= 1, "burst", "must be at least 1, or nothing ever passes"),
            Rule(1 <= self.max_keys <= 10_000_000, "max_keys", "must be 1 to 10,000,000"),
        )


class RateLimiter(Policy):
    """Token buckets in this process. `call` and `wrap` use one bucket for all calls."""

    def __init__(
        self,
        source: str,
        options: RateLimitOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
    ) -> None:
        self.source = source
        self._monotonic = clock.monotonic
        self._events = events
        #: When each key's bucket is full again; least recently used first.
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()
        self._own_full_at = 0.0
        self.reconfigure(options or RateLimitOptions())

    def __len__(self) -> int:
        return len(self._full_at)

    def reconfigure(self, options: RateLimitOptions) -> None:
        """Follow other options from now on; buckets keep their debts (in seconds)."""
        self.options = options
        self._interval = 1.0 / options.per_second
        #: How far ahead of now a bucket's time may be for a call to pass. (A hair more, because
        #: the sums are floating point and a whole burst must pass at once.)
        self._tolerance = (options.burst - 1) * self._interval + 1e-9
        while len(self._full_at) > options.max_keys:
            self._full_at.popitem(last=False)

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.admit(self._monotonic())
        return await function(*args, **kwargs)

    def admit(self, now: float) -> None:
        """Take a token from the one bucket for all calls, or raise `RateLimited`."""
        full_at = self._own_full_at
        if full_at < now:
            full_at = now
        early = full_at - now - self._tolerance
        if early > 0:
            raise self._limited(early)
        self._own_full_at = full_at + self._interval

    def acquire(self, key: Hashable) -> None:
        """Take a token from the bucket of `key`, or raise `RateLimited`."""
        now = self._monotonic()
        full_at = max(self._full_at.get(key, 0.0), now)
        early = full_at - now - self._tolerance
        if early > 0:
            self._full_at.move_to_end(key)
            raise self._limited(early)
        self._full_at[key] = full_at + self._interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self.options.max_keys:
            self._full_at.popitem(last=False)

    def _limited(self, retry_after: float) -> RateLimited:
        rejection = RateLimited(self.source, retry_after)
        tell_rejection(self._events, rejection)
        return rejection
