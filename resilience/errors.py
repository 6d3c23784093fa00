"""What the policies raise. Every error tells what happened, to what, and when to try again.

ResilienceError
├── Rejected                 not attempted: says nothing about the dependency's health
│   ├── CircuitOpen          the breaker is open, probing, or ramping up
│   ├── BulkheadFull         every slot and every place in the queue is taken
│   ├── ConcurrencyLimited   the adaptive limit is reached
│   ├── LoadShed             the load leaves no room for this priority
│   └── RateLimited          the caller's tokens are used up
├── DeadlineExceeded         the caller's time is up (also a TimeoutError)
└── AttemptTimedOut          the dependency did not answer in time (also a TimeoutError)
"""

from typing import TYPE_CHECKING, ClassVar

from pybreaker import CircuitBreakerError

__all__ = [
    "AttemptTimedOut",
    "BulkheadFull",
    "CircuitOpen",
    "ConcurrencyLimited",
    "DeadlineExceeded",
    "LoadShed",
    "RateLimited",
    "Rejected",
    "ResilienceError",
]


class ResilienceError(Exception):
    """The base of everything that this library raises on a call's path."""


class Rejected(ResilienceError):
    """The call was not attempted, to protect the dependency or this process.

    A rejection is no evidence about the dependency: no policy counts it as a failure. It is made
    often and read seldom, so its text is put together only when somebody reads it.
    """

    #: Which kind of policy rejects with this error.
    policy: ClassVar[str] = "policy"
    what: ClassVar[str] = "the call was not let through"

    if TYPE_CHECKING:
        # For type checkers only: Exception's own constructor keeps the arguments, in a third of
        # the time that one in Python takes.
        def __init__(
            self, source: str, retry_after: float | None = None, detail: str = "", /
        ) -> None: ...

    @property
    def source(self) -> str:
        """The name of the policy's owner: the dependency that was not called."""
        return str(self.args[0])

    @property
    def retry_after(self) -> float | None:
        """Seconds after which another try makes sense, where the policy can tell."""
        return self.args[1] if len(self.args) > 1 else None

    @property
    def detail(self) -> str:
        """What exactly was the matter."""
        return str(self.args[2]) if len(self.args) > 2 else ""

    def __str__(self) -> str:
        text = f"{self.source}: {self.what}"
        if self.detail:
            text += f" ({self.detail})"
        if self.retry_after is not None:
            text += f"; try again in {self.retry_after:.3f} s"
        return text


class CircuitOpen(Rejected, CircuitBreakerError):
    """The breaker does not let this call through. `detail` is `open`, `half-open` or `ramping`."""

    policy = "breaker"
    what = "the circuit breaker is not closed"


class BulkheadFull(Rejected):
    """Every slot is taken, and so is every place in the queue (or the wait in it was too long)."""

    policy = "bulkhead"
    what = "every slot is taken"


class ConcurrencyLimited(Rejected):
    """As many calls are in flight as the adaptive limit allows."""

    policy = "adaptive_limit"
    what = "the concurrency limit is reached"


class LoadShed(Rejected):
    """The load leaves no room for a call of this priority."""

    policy = "shedding"
    what = "calls of this priority are shed"


class RateLimited(Rejected):
    """The caller has used up its tokens."""

    policy = "rate_limit"
    what = "the rate limit is reached"


class DeadlineExceeded(ResilienceError, TimeoutError):
    """The caller's time is up. That says nothing about the dependency: it may have been short."""


class AttemptTimedOut(ResilienceError, TimeoutError):
    """The dependency had all of the attempt's time and did not answer: a failure of its own."""
