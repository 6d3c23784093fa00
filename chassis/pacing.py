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


EMPTY_BEFORE_SLOWING = 20
"""Empty looks in a row, under a second of them, after which a poller takes its time."""

SLOWEST = 5.0
"""How many times longer a poller pauses at most when nothing has come for a while."""


class Pace:
    """The pauses of one loop. `stop` ends the present pause and all later ones at once."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None) -> None:
        self.clock = clock
        self.random = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._stopped = False
        self._awake = asyncio.Event()
        self._empty = 0

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

    async def poll(self, minimum: float, maximum: float) -> None:
        """Pause after an empty look: between `minimum` and `maximum` s, longer in a quiet time.

        A busy queue is looked at often; dozens of idle ones must not keep a processor awake.
        """
        self._empty += 1
        stretch = min(SLOWEST, max(1.0, self._empty / EMPTY_BEFORE_SLOWING))
        await self.pause(stretch * self.random.uniform(minimum, maximum))

    def found(self) -> None:
        """The last look was not empty: look often again."""
        self._empty = 0

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
