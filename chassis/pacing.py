"""The pace of a background loop: interruptible pauses, jittered polls, growing backoff."""

import asyncio
import random
from dataclasses import dataclass

from resilience.clock import SYSTEM_CLOCK, Clock


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `minimum` to `maximum` seconds; each is drawn from its upper half.

    The lower half is kept as a floor, so that a failing part is never hammered; the upper half spreads
    those who failed together.
    """

    minimum: float
    maximum: float

    def __post_init__(self) -> None:
        if not 0 < self.minimum <= self.maximum:
            raise ValueError("backoff needs 0 < minimum ≤ maximum")

    def pause(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after the `failures`-th failure in a row (from 1)."""
        # 2**32 times any minimum is beyond any maximum; larger powers would only overflow.
        ceiling = min(self.maximum, self.minimum * 2.0 ** min(failures - 1, 32))
        return float(ceiling * rng.uniform(0.5, 1.0))


class Pace:
    """The pauses of one loop. `stop` ends the present pause and all later ones at once."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None) -> None:
        self.clock = clock
        self.random = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._stopped = False
        self._awake = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the loop must end: `stop` was called, or its task was cancelled.

        A cancellation is asked for by name because a commit under way absorbs it, see
        `chassis.database.UnitOfWork.commit`.
        """
        task = asyncio.current_task()
        return self._stopped or (task is not None and task.cancelling() > 0)

    def stop(self) -> None:
        """Ask the loop to end."""
        self._stopped = True
        self._awake.set()

    def wake(self) -> None:
        """End the present pause, or the next one if there is none."""
        self._awake.set()

    async def pause(self, seconds: float) -> None:
        """Wait for `seconds`, or until `wake` or `stop`."""
        if self.stopping:
            return
        timer = self.clock.call_at(self.clock.monotonic() + seconds, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            timer.cancel()
        self._awake.clear()
