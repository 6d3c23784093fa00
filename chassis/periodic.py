"""A worker that does a piece of work again and again, with a pause when nothing is left to do."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from resilience.clock import SYSTEM_CLOCK, Clock

JITTER = 0.2
"""Share by which a pause varies, so that replicas do not march in step."""


class Periodic:
    """Calls `work` every `every` seconds, and again at once while it answers True: more is waiting.

    What `work` raises ends `run`: the process' supervisor of workers logs it and starts again.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[bool]],
        *,
        every: float,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self._work = work
        self._every = every
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter is not a secret

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, which also ends a pause."""
        while not stop.is_set():
            if not await self._work():
                await self._pause(stop)

    async def _pause(self, stop: asyncio.Event) -> None:
        seconds = self._every * self._rng.uniform(1 - JITTER, 1 + JITTER)
        stopped = asyncio.create_task(stop.wait())
        timer = asyncio.create_task(self._sleep(seconds))
        try:
            await asyncio.wait({stopped, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            timer.cancel()

    async def _sleep(self, seconds: float) -> bool:
        await self._clock.sleep(seconds)
        return True
