"""The attempt timeout: how long the dependency gets to answer one attempt.

It belongs inside the breaker, so that a hang is seen as what it is. When the caller's deadline
comes first, the attempt ends there, and that is told apart: the dependency did not have its time.

All attempts under one policy have the same time, so they run out in the order of their start: one
timer for the oldest serves them all. An attempt that ends early costs a dictionary entry and no
timer of the event loop, a third of the price.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock, Timer
from resilience.context import DEADLINE, Limit
from resilience.deadline import Deadline
from resilience.errors import AttemptTimedOut, DeadlineExceeded
from resilience.interruption import Interruption, running_task
from resilience.options import Rule, require
from resilience.policy import Policy

__all__ = ["Attempt", "AttemptTimeout", "TimeoutOptions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimeoutOptions:
    """How long one attempt may take."""

    #: Above the dependency's slowest healthy answers (its p99.9), below half of usual deadlines,
    #: so that a second attempt fits in.
    seconds: float = 1.0

    def __post_init__(self) -> None:
        require(
            self,
            Rule(
                0 < self.seconds <= 3_600,
                "seconds",
                "must be above 0 (nothing could ever answer) and at most an hour",
            ),
        )


class Attempt(Interruption):
    """One attempt under way. It is the deadline of what runs in it (a `context.Limit`)."""

    __slots__ = ("at", "clock", "queue", "timer")

    def __init__(self, task: "asyncio.Task[Any]", at: float, clock: Clock) -> None:
        # Not through super(): a call more would be a tenth of the attempt's whole cost.
        self._task = task
        self._before = task.cancelling()
        self.fired = self._over = False
        #: When it ends.
        self.at = at
        self.clock = clock
        #: Where it waits for its time; or else its own timer, since a deadline comes first.
        self.queue: _Queue | None = None
        self.timer: Timer | None = None

    def as_deadline(self) -> Deadline:
        return Deadline(self.at, self.clock)


class _Queue:
    """Attempts of one loop that run out in the order of their start, and the oldest one's timer."""

    __slots__ = ("_clock", "_timer", "loop", "pending", "seconds")

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._clock = clock
        self.loop = loop
        #: What each of them has; a reload makes another queue.
        self.seconds = seconds
        self.pending: dict[Attempt, None] = {}
        self._timer: Timer | None = None

    def add(self, attempt: Attempt) -> None:
        self.pending[attempt] = None
        if self._timer is None:
            self._timer = self._clock.call_at(attempt.at, self._run_out)

    def _run_out(self) -> None:
        """The oldest attempt may be due: end those that are, and wait for the next one."""
        self._timer = None
        now = self._clock.monotonic()
        due = []
        for attempt in self.pending:
            if attempt.at > now:
                self._timer = self._clock.call_at(attempt.at, self._run_out)
                break
            due.append(attempt)
        for attempt in due:
            del self.pending[attempt]
            attempt.fire()


class AttemptTimeout(Policy):
    """Ends attempts that take too long."""

    def __init__(
        self, source: str, options: TimeoutOptions | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.source = source
        self.options = options or TimeoutOptions()
        self._seconds = self.options.seconds
        self._clock = clock
        self._queue: _Queue | None = None

    def reconfigure(self, options: TimeoutOptions) -> None:
        """Follow other options from the next attempt on."""
        self.options = options
        self._seconds = options.seconds
        # Attempts under way keep their time: the old queue lives on until the last of them ended.
        self._queue = None

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        attempt = self.start(self._clock.monotonic(), DEADLINE.get())
        token = DEADLINE.set(attempt)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            timed_out = self.end(attempt, error)
            if timed_out is not None:
                raise timed_out from error
            raise
        finally:
            DEADLINE.reset(token)
        self.end(attempt, None)
        return result

    def start(self, now: float, deadline: Limit | None) -> Attempt:
        """Start the time of an attempt of the running task; end it with `end` in any case."""
        # Asking for the running loop costs a system call on Python 3.11, and for the task too:
        # the loop of last time is asked first. It has no current task unless it runs this.
        queue = self._queue
        task = None if queue is None else asyncio.current_task(queue.loop)
        if queue is None or task is None:
            task = running_task()
            self._queue = queue = _Queue(self._clock, asyncio.get_running_loop(), self._seconds)
        at = now + queue.seconds
        if deadline is not None and deadline.at < at:
            attempt = Attempt(task, deadline.at, self._clock)
            attempt.timer = self._clock.call_at(deadline.at, attempt.fire)
            return attempt
        attempt = Attempt(task, at, self._clock)
        attempt.queue = queue
        queue.add(attempt)
        return attempt

    def end(
        self, attempt: Attempt, error: BaseException | None
    ) -> AttemptTimedOut | DeadlineExceeded | None:
        """The attempt ended. The error to raise instead, when it ended because time was up."""
        if attempt.queue is not None:
            attempt.queue.pending.pop(attempt, None)
        elif attempt.timer is not None:
            attempt.timer.cancel()
        if not attempt.settled(error):
            return None
        if attempt.queue is None:
            return DeadlineExceeded(f"{self.source}: the deadline passed during the call")
        return AttemptTimedOut(f"{self.source}: no answer within {attempt.queue.seconds} s")
