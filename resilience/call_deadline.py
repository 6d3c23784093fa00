"""The deadline policy: every call ends in time, and none begins that cannot.

It shortens the request's deadline to what this dependency may take, publishes it to the call (an
HTTP client sends on what is left), and turns calls away for which no time is left.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import DEADLINE, Limit
from resilience.deadline import Deadline
from resilience.errors import DeadlineExceeded
from resilience.events import SILENT, CallRejected, Emitter
from resilience.options import Rule, require
from resilience.policy import Policy
from resilience.timeout import AttemptTimeout, TimeoutOptions

__all__ = ["CallDeadline", "DeadlineOptions"]

P = ParamSpec("P")
T = TypeVar("T")

#: For timers that only deadlines end: no deadline is further away.
_FOREVER = TimeoutOptions(3_600.0)


@dataclass(frozen=True, slots=True)
class DeadlineOptions:
    """How much time a call may take in all: its queueing, its attempts and the waits between."""

    #: Two seconds: people wait that long; what takes longer was given up already.
    seconds: float = 2.0
    #: With less than this left no call begins: a round trip on a good day.
    minimum_seconds: float = 0.002
    #: Whether a timer ends the call in time (at the deadline, or with the attempt). Without it the
    #: deadline is only looked at: before the call, before each retry, and in queues.
    enforce: bool = True

    def __post_init__(self) -> None:
        require(
            self,
            Rule(0 < self.seconds <= 3_600, "seconds", "must be above 0 and at most an hour"),
            Rule(
                0 <= self.minimum_seconds < self.seconds,
                "minimum_seconds",
                "must be 0 or more and below seconds, or no call could begin",
            ),
        )


class CallDeadline(Policy):
    """Shortens the deadline, and turns calls away that come too late."""

    def __init__(
        self,
        source: str,
        options: DeadlineOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
    ) -> None:
        self.source = source
        self._clock = clock
        self._events = events
        #: Ends calls at their deadline.
        self.timer = AttemptTimeout(source, _FOREVER, clock=clock)
        self.reconfigure(options or DeadlineOptions())

    def reconfigure(self, options: DeadlineOptions) -> None:
        """Follow other options from the next call on."""
        self.options = options
        self._seconds = options.seconds
        self._minimum = options.minimum_seconds

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        deadline = self.enter(self._clock.monotonic(), DEADLINE.get())
        token = DEADLINE.set(deadline)
        try:
            if self.options.enforce:
                return await self.timer.call(function, *args, **kwargs)
            return await function(*args, **kwargs)
        finally:
            DEADLINE.reset(token)

    def enter(self, now: float, ambient: Limit | None) -> Limit:
        """The call's deadline, given the request's; raises `DeadlineExceeded`."""
        at = now + self._seconds
        if ambient is None or ambient.at > at:
            return Deadline(at, self._clock)
        if ambient.at - now <= self._minimum:
            raise self._too_late(ambient.at - now)
        return ambient

    def _too_late(self, left: float) -> DeadlineExceeded:
        if self._events.listening:
            self._events.emit(CallRejected(self.source, "deadline", "DeadlineExceeded", None))
        return DeadlineExceeded(
            f"{self.source}: {max(0.0, left) * 1000:.0f} ms are left, too little for a call"
        )
