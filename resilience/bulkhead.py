"""The bulkhead: at most so many calls at a time, and a short queue for the rest.

A slot that becomes free is handed to the oldest waiter and never to a newcomer. The queue is
bounded in length and in time, and nobody waits past the own deadline.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.context import DEADLINE, Limit
from resilience.errors import BulkheadFull, DeadlineExceeded
from resilience.events import SILENT, Emitter
from resilience.options import Rule, require
from resilience.policy import Policy, tell_rejection

__all__ = ["Bulkhead", "BulkheadOptions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BulkheadOptions:
    """How many calls at a time, and who may wait."""

    #: By Little's law, calls in flight = calls per second × seconds per call: 32 carry 1,600 calls
    #: a second of 20 ms. When each takes a second instead, 32 are all that hangs.
    max_concurrent: int = 32
    #: As many again may wait: a burst, not a backlog.
    max_queue: int = 32
    #: Waiting longer than this means that the queue does not move.
    queue_seconds: float = 0.1

    def __post_init__(self) -> None:
        require(
            self,
            Rule(self.max_concurrent >= 1, "max_concurrent", "must be at least 1"),
            Rule(0 <= self.max_queue <= 100_000, "max_queue", "must be 0 to 100,000"),
            Rule(self.queue_seconds >= 0, "queue_seconds", "must be 0 or more"),
        )


class Bulkhead(Policy):
    """Bounds the calls in flight."""

    def __init__(
        self,
        source: str,
        options: BulkheadOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
    ) -> None:
        self.source = source
        self.options = options or BulkheadOptions()
        self._limit = self.options.max_concurrent
        self._clock = clock
        self._events = events
        self._queue: deque[asyncio.Future[bool]] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """How many calls wait for a slot."""
        return len(self._queue)

    @property
    def load(self) -> float:
        """The share of the slots that is taken."""
        return self.in_flight / self._limit

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if not self.try_acquire():
            await self.acquire(DEADLINE.get())
        try:
            return await function(*args, **kwargs)
        finally:
            self.release()

    def try_acquire(self) -> bool:
        """Take a slot if one is free; give it back with `release`."""
        # While somebody waits, no slot is free: `release` hands it on.
        if self.in_flight < self._limit:
            self.in_flight += 1
            return True
        return False

    async def acquire(self, deadline: Limit | None = None) -> None:
        """Wait for a slot; raises `BulkheadFull` or `DeadlineExceeded`."""
        if self.try_acquire():
            return
        options = self.options
        if len(self._queue) >= options.max_queue:
            raise self._full(f"{self.in_flight} in flight, {len(self._queue)} waiting")
        patience = self._clock.monotonic() + options.queue_seconds
        impatient = deadline is not None and deadline.at < patience
        until = deadline.at if deadline is not None and impatient else patience
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_at(until, lambda: self._give_up(waiter))
        self._queue.append(waiter)
        try:
            granted = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                # The slot came in the same moment as the cancellation: pass it on.
                self.release()
            else:
                self._forget(waiter)
            raise
        finally:
            timer.cancel()
        if granted:
            return
        if impatient:
            raise DeadlineExceeded(f"{self.source}: the deadline passed in the bulkhead's queue")
        raise self._full(f"no slot within {options.queue_seconds} s")

    def release(self) -> None:
        """Give a slot back: to the oldest waiter, if there is one."""
        if not (self._queue and self.in_flight <= self._limit and self._hand_on()):
            self.in_flight -= 1

    def reconfigure(self, options: BulkheadOptions) -> None:
        """Follow other options from now on; calls in flight and in the queue stay."""
        self.options = options
        self._limit = options.max_concurrent
        while self.in_flight < self._limit and self._hand_on():
            self.in_flight += 1

    def _hand_on(self) -> bool:
        """Give a slot to the oldest waiter that still waits, if there is one."""
        while self._queue:
            waiter = self._queue.popleft()
            # One that was cancelled in this turn of the loop has not left the queue itself yet.
            if not waiter.done():
                waiter.set_result(True)
                return True
        return False

    def _give_up(self, waiter: "asyncio.Future[bool]") -> None:
        if not waiter.done():
            self._forget(waiter)
            waiter.set_result(False)

    def _forget(self, waiter: "asyncio.Future[bool]") -> None:
        if waiter in self._queue:
            self._queue.remove(waiter)

    def _full(self, detail: str) -> BulkheadFull:
        rejection = BulkheadFull(self.source, self.options.queue_seconds or None, detail)
        tell_rejection(self._events, rejection)
        return rejection
