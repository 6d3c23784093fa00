"""A test kit: a clock that only tests move, and calls whose outcomes are scripted."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from contextvars import copy_context
from itertools import count
from typing import Generic, TypeVar

from resilience.clock import Timer

__all__ = ["FakeClock", "ScriptedCall", "settle"]

T = TypeVar("T")

#: Rounds of the loop that `settle` runs. A task that was woken runs on through about this many
#: awaits before time moves on; deeper chains of hand-overs do not occur in this library.
SETTLE_ROUNDS = 20


async def settle(rounds: int = SETTLE_ROUNDS) -> None:
    """Let every task that can run do so."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class _FakeTimer:
    __slots__ = ("callback", "context")

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback
        # As the event loop does: a timer runs in the context of whoever set it.
        self.context = copy_context()

    def cancel(self) -> None:
        self.callback = None

    def go_off(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            self.context.run(callback)


class FakeClock:
    """A monotonic clock that stands still until `advance` moves it.

    Sleepers and timers go off one by one in the order of their time (then of their start), each
    at exactly its own time, and what they wake runs before the next one goes off.
    """

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start
        self._order = count()
        self._timers: list[tuple[float, int, _FakeTimer]] = []

    def monotonic(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_at(
            self._now + seconds, lambda: None if woken.done() else woken.set_result(None)
        )
        try:
            await woken
        finally:
            timer.cancel()

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking sleepers and timers on the way, each at its own time."""
        end = self._now + seconds
        await settle()
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                self._now = max(self._now, when)
                timer.go_off()
                await settle()
        self._now = end
        await settle()

    def jump(self, seconds: float) -> None:
        """Move on without waking anybody: what a blocked event loop sees."""
        self._now += seconds

    @property
    def sleepers(self) -> int:
        """How many sleepers and timers wait for this clock."""
        return sum(1 for _, _, timer in self._timers if timer.callback is not None)


class ScriptedCall(Generic[T]):
    """An async function whose outcomes are scripted: a value is returned, an exception raised.

    A number of seconds in `takes` is spent on the clock before each outcome. After the last
    outcome the last one repeats.
    """

    def __init__(
        self,
        outcomes: Iterable[T | BaseException],
        *,
        clock: FakeClock | None = None,
        takes: float = 0.0,
    ) -> None:
        self._outcomes = list(outcomes)
        if not self._outcomes:
            raise ValueError("a script needs at least one outcome")
        self._clock = clock
        self.takes = takes
        #: The clock's time at the start of each call (zeros without a clock).
        self.started: list[float] = []

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.started)

    async def __call__(self, *_args: object, **_kwargs: object) -> T:
        outcome = self._outcomes[min(len(self.started), len(self._outcomes) - 1)]
        self.started.append(self._clock.monotonic() if self._clock else 0.0)
        if self._clock is not None and self.takes:
            await self._clock.sleep(self.takes)
        if isinstance(outcome, BaseException):
            # The script holds the error: without this each raising would add to its traceback.
            raise outcome.with_traceback(None)
        return outcome
