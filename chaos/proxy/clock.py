"""Time as a part that can be handed in: one monotonic clock for delays, timeouts and leases."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What `Clock.call_at` hands back."""

    def cancel(self) -> None:
        """Take the call back; harmless when it has happened."""
        ...


class Clock(Protocol):
    """A monotonic clock, in seconds."""

    def now(self) -> float:
        """Seconds since an arbitrary point; never goes back."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Have `callback` called at `when`, a time of `now()`; soon, when that is past."""
        ...


class LoopClock:
    """The machine's monotonic clock and the running loop's timers."""

    __slots__ = ()

    now = staticmethod(time.monotonic)

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        # As a delay, because a loop's own time need not be `time.monotonic()` (uvloop's is not).
        delay = max(0.0, when - time.monotonic())
        return asyncio.get_running_loop().call_later(delay, callback)
