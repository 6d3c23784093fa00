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


class Rejected(ResilienceError):  # noqa: N818 - named after what happened, as TimeoutError is
    """The call was not attempted, to protect the dependency or this process.

    A rejection is no evidence about the dependency: no policy counts it as a failure.
    """

    def __init__(self, message: str, *, policy: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        #: The name of the policy that rejected.
        self.policy = policy
        #: Seconds after which another try makes sense, where the policy can tell.
        self.retry_after = retry_after


class CircuitOpen(Rejected):
    """The breaker does not let this call through."""


class BulkheadFull(Rejected):
    """Every slot is taken, and so is every place in the queue (or the wait in it was too long)."""


class ConcurrencyLimited(Rejected):
    """As many calls are in flight as the adaptive limit allows."""


class LoadShed(Rejected):
    """The load leaves no room for a call of this priority."""


class RateLimited(Rejected):
    """The caller has used up its tokens."""


class DeadlineExceeded(ResilienceError, TimeoutError):  # noqa: N818
    """The caller's time is up. That says nothing about the dependency: it may have been short."""


class AttemptTimedOut(ResilienceError, TimeoutError):  # noqa: N818
    """The dependency had all of the attempt's time and did not answer: a failure of its own."""
