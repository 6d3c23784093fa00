"""What the policies tell: frozen events, handed to hooks that cannot hurt the call.

One hook serves metrics, logs and traces alike. Events are made only when somebody listens, and
none is made on the way to a success except `AttemptFinished`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "AttemptFinished",
    "BreakerChanged",
    "BreakerWouldOpen",
    "CallHedged",
    "CallRejected",
    "CallRetried",
    "CopyServed",
    "Emitter",
    "Event",
    "FallbackFailed",
    "FlightJoined",
    "Hook",
    "LimitChanged",
    "OutcomeDropped",
    "RetryGivenUp",
    "TierFailed",
]

logger = logging.getLogger("resilience")


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """One attempt at the dependency ended: with an answer (`error` is None) or without."""

    source: str
    seconds: float
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class CallRejected:
    """A policy did not let a call through. `reason` is the rejection's class name."""

    source: str
    policy: str
    reason: str
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A breaker went from one state to another (`closed`, `open`, `half-open`)."""

    source: str
    before: str
    after: str
    reason: str
    #: Seconds until the first probe, when it opened.
    break_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class BreakerWouldOpen:
    """A breaker in metrics-only mode would have opened now."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutcomeDropped:
    """An outcome came from before the breaker's last change of state, and was not counted."""

    source: str
    admitted_in: str
    failed: bool


@dataclass(frozen=True, slots=True)
class CallRetried:
    """An attempt failed and another one follows after `wait` seconds."""

    source: str
    attempt: int
    wait: float
    error: BaseException


@dataclass(frozen=True, slots=True)
class RetryGivenUp:
    """A retryable failure was not retried.

    `reason`: attempts, deadline, budget, retry-after (longer than we wait), or no-key.
    """

    source: str
    attempt: int
    reason: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class CallHedged:
    """A second try was sent beside a slow one; `won` tells which of them answered."""

    source: str
    after: float
    won: str


@dataclass(frozen=True, slots=True)
class FlightJoined:
    """A call joined one that was under way already."""

    source: str


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The adaptive limit moved. Latencies are in seconds."""

    source: str
    limit: float
    latency: float
    baseline: float


@dataclass(frozen=True, slots=True)
class CopyServed:
    """A copy was served: `fresh`, `revalidating` or `stale` (then `error` tells why)."""

    source: str
    state: str
    tier: str
    age: float
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class FallbackFailed:
    """A call failed and no copy could stand in. `reason`: absent, unauthorised."""

    source: str
    reason: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class TierFailed:
    """A shared tier (cache, rate limiter, hints) did not work and was bypassed."""

    source: str
    operation: str
    error: BaseException | None


Event: TypeAlias = (
    AttemptFinished
    | BreakerChanged
    | BreakerWouldOpen
    | CallHedged
    | CallRejected
    | CallRetried
    | CopyServed
    | FallbackFailed
    | FlightJoined
    | LimitChanged
    | OutcomeDropped
    | RetryGivenUp
    | TierFailed
)

Hook = Callable[[Event], None]


class Emitter:
    """Hands events to hooks. A hook that raises is logged and changes nothing else."""

    __slots__ = ("_hooks", "listening")

    def __init__(self, *hooks: Hook) -> None:
        self._hooks = hooks
        #: Whether anybody listens; look here before making an event on a hot path.
        self.listening = bool(hooks)

    def add(self, hook: Hook) -> None:
        """Have `hook` told about every event from now on."""
        self._hooks = (*self._hooks, hook)
        self.listening = True

    def emit(self, event: Event) -> None:
        """Tell every hook, whatever the others do."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:
                logger.exception("a hook raised on %s", type(event).__name__)


class _Silence(Emitter):
    """The emitter of policies that were given none. It is shared, so nobody may listen to it."""

    __slots__ = ()

    def add(self, hook: Hook) -> None:  # noqa: ARG002
        raise TypeError("this emitter is shared by all that were given none: hand one in instead")


SILENT: Emitter = _Silence()
