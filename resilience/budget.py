"""The retry budget: how many of the calls may be tried again, over all callers together.

Attempts multiply when a dependency is down, and the multiplied load keeps it down. A budget bounds
them: every call pays in a fraction of a token, every retry (and hedge) takes a whole one. A second,
small bucket fills with time, so that a trickle of traffic may retry as well. The law, which a test
holds over any sequence:

    retries ≤ ratio × calls + minimum_per_second × seconds + reserve at the start

The shape is Finagle's `RetryBudget` and Envoy's retry budget; a token is taken *before* the wait
for the retry, so that retries which wait are counted too.
"""

from dataclasses import dataclass

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.options import Rule, require

__all__ = ["BudgetOptions", "RetryBudget"]

#: A tenth paid in ten times is a hair below one in floating point.
WHOLE = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """How much load retries may add."""

    #: Tokens that each call pays in. A tenth: a total outage costs 10 % more load, not 200 %.
    ratio: float = 0.1
    #: Retries per second that are allowed whatever the traffic: below ten calls a second, a
    #: tenth would hardly allow any. It also is what the second bucket holds at most (at least 1).
    minimum_per_second: float = 1.0
    #: What the first bucket holds at most: how large a burst of retries a calm time may save for.
    burst: float = 20.0

    def __post_init__(self) -> None:
        require(
            self,
            Rule(0 <= self.ratio <= 1, "ratio", "must be 0 to 1: more would double the load"),
            Rule(self.minimum_per_second >= 0, "minimum_per_second", "must be 0 or more"),
            Rule(self.burst >= 1, "burst", "must be at least 1, or no token ever becomes whole"),
        )


class RetryBudget:
    """Tokens for retries, shared by everything that calls one dependency."""

    __slots__ = ("_burst", "_clock", "_ratio", "_trickle", "_trickled_at", "options", "tokens")

    def __init__(
        self, options: BudgetOptions | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.options = options or BudgetOptions()
        self._clock = clock
        self._ratio = self.options.ratio
        self._burst = self.options.burst
        #: What calls have paid in.
        self.tokens = 0.0
        self._trickle = self._trickle_limit()
        self._trickled_at = clock.monotonic()

    def deposit(self) -> None:
        """A call is made: pay in its share."""
        tokens = self.tokens + self._ratio
        self.tokens = tokens if tokens < self._burst else self._burst

    def reserve(self) -> bool:
        """Take the token for one retry, before waiting for it. False: there is none."""
        if self.tokens >= WHOLE:
            self.tokens = max(0.0, self.tokens - 1.0)
            return True
        now = self._clock.monotonic()
        gained = (now - self._trickled_at) * self.options.minimum_per_second
        self._trickle = min(self._trickle_limit(), self._trickle + gained)
        self._trickled_at = now
        if self._trickle >= WHOLE:
            self._trickle = max(0.0, self._trickle - 1.0)
            return True
        return False

    def refund(self) -> None:
        """Give back a token whose retry was never made."""
        self.tokens = min(self._burst, self.tokens + 1.0)

    def reconfigure(self, options: BudgetOptions) -> None:
        """Follow other options from now on; what was saved stays, up to the new burst."""
        self.options = options
        self._ratio = options.ratio
        self._burst = options.burst
        self.tokens = min(self.tokens, options.burst)
        self._trickle = min(self._trickle, self._trickle_limit())

    def _trickle_limit(self) -> float:
        rate = self.options.minimum_per_second
        return max(1.0, rate) if rate else 0.0
