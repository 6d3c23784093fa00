"""Time as a part that can be handed in.

Durations, deadlines and breaks are measured on a monotonic clock; wall clocks jump. Production code
takes a `Clock`, tests hand in `resilience.testing.FakeClock` and decide what time it is.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable


class Timer(Protocol):
    """What `Clock.call_at` hands back."""

    def cancel(self) -> None:
        """Take the call back; harmless when it has happened already."""
        ...


@runtime_checkable
class Clock(Protocol):
    """A monotonic clock in seconds, and two ways to wait on it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` (≥ 0) of this clock's time; cancellable."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Have the running event loop call `callback` at `when`, a time of `monotonic()`."""
        ...


class SystemClock:
    """The machine's monotonic clock and the event loop's timers."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        # A delay, because a loop's own time need not be `time.monotonic()` (uvloop's is not).
        delay = max(0.0, when - time.monotonic())
        return asyncio.get_running_loop().call_later(delay, callback)


SYSTEM_CLOCK: Clock = SystemClock()
