"""Time as a part that can be handed in.

Durations, deadlines and breaks are measured on a monotonic clock; wall clocks jump. Production code
takes a `Clock`, tests hand in `resilience.testing.FakeClock` and decide what time it is.
"""

import asyncio
import time
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """A monotonic clock in seconds, and a way to wait on it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` (≥ 0) of this clock's time; cancellable."""
        ...


class SystemClock:
    """The machine's monotonic clock and the event loop's timer."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Clock = SystemClock()
