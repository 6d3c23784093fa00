"""One fault in place: whom it hits, until when, and how often it did. No I/O.

`Fail(type, probability, duration)`: each request that fits draws whether it makes the fault *enter* its
faulty state, in which every request that fits is hit for `duration`. A draw depends on the seed and on
how many drew before, and on nothing else.
"""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.faults.contract import Fault, NewFault
from resilience.clock import Clock

if TYPE_CHECKING:
    from chassis.faults.effects.effect import Effect

HELD_LIMIT = 1_000
"""Requests that a process' faults keep waiting for ever: half of what the server takes at once, so that
health checks and the kill switch still get in."""


@dataclass(eq=False)
class ActiveFault:
    """A fault in place, until its lease or somebody ends it.

    Attributes:
        effect: what it does.
        seed: of the draws.
        ends: when its lease is over, on `clock`.
        on_met: hears each time that it was done.
        room: for requests that are kept waiting for ever, shared by the faults of a process.
        scratch: whatever the effect must remember from one batch to the next.
    """

    id: str
    wanted: NewFault
    effect: "Effect"
    seed: int
    ends: float
    clock: Clock
    on_met: Callable[["ActiveFault"], None]
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HELD_LIMIT))
    scratch: dict[str, Any] = field(default_factory=dict)
    met: int = 0
    _fitting: int = 0
    _claimed: int = 0
    _faulty_until: float = -math.inf
    _ended: bool = False

    def __post_init__(self) -> None:
        self._draws = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be secret
        # Apart from the draws: whom a fault hits must not depend on what it does to them.
        self.noise = random.Random(f"{self.seed} noise")  # noqa: S311
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def over(self) -> bool:
        """Whether it may do nothing any more."""
        return self._ended or self.clock.monotonic() >= self.ends

    def claim(self, told: list[str] | None = None) -> "Hit | None":
        """A hit, if the next one that fits is to be hit.

        Args:
            told: gets the fault's id when it is done.
        """
        target = self.wanted.target
        if self.over:
            return None
        self._fitting += 1
        if self._fitting <= target.skip:
            return None
        if target.first is not None and self._claimed >= target.first:
            return None
        if not self._is_faulty():
            return None
        self._claimed += 1
        return Hit(self, told if told is not None else [])

    def _is_faulty(self) -> bool:
        now = self.clock.monotonic()
        if now < self._faulty_until:
            return True
        if self._draws.random() * 100 >= self.wanted.target.percent:
            return False
        lasts = self.wanted.duration
        self._faulty_until = math.inf if lasts is None else now + lasts
        return True

    def spare(self) -> None:
        """A hit was not done after all: another one may be."""
        self._claimed -= 1

    async def pause(self, seconds: float) -> None:
        """Wait for so long, but not beyond the end of this fault."""
        until = self.clock.monotonic() + seconds
        while not self.over and self.clock.monotonic() < until:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            timer = self.clock.call_at(min(until, self.ends), lambda it=woken: _wake(it))  # type: ignore[misc]
            self._waiting.add(woken)
            try:
                await woken
            finally:
                timer.cancel()
                self._waiting.discard(woken)

    def renew(self, seconds: float) -> None:
        """Let the lease start anew."""
        self.ends = self.clock.monotonic() + seconds

    def end(self) -> None:
        """Do nothing any more, and let go whatever waits."""
        self._ended = True
        for woken in self._waiting:
            _wake(woken)

    def described(self) -> Fault:
        """It, as the API shows it."""
        return Fault(
            id=self.id,
            type=self.wanted.type,
            attributes=self.wanted.attributes,
            target=self.wanted.target,
            duration=self.wanted.duration,
            remaining_seconds=0.0 if self.over else self.ends - self.clock.monotonic(),
            experiment=self.wanted.experiment,
            seed=self.seed,
            met=self.met,
        )


class Hit:
    """One request or message that a fault has chosen, and what the effect needs to act on it."""

    __slots__ = ("_fault", "_settled", "_told", "was_done")

    def __init__(self, fault: ActiveFault, told: list[str]) -> None:
        self._fault = fault
        self._told = told
        self.was_done = False
        self._settled = False

    @property
    def fault_id(self) -> str:
        return self._fault.id

    @property
    def noise(self) -> random.Random:
        """Seeded randomness for what the effect does."""
        return self._fault.noise

    @property
    def room(self) -> asyncio.Semaphore:
        """Places for requests that are kept waiting."""
        return self._fault.room

    def done(self) -> None:
        """The effect takes place now."""
        if not self._settled:
            self._settled = self.was_done = True
            self._told.append(self._fault.id)
            self._fault.met += 1
            self._fault.on_met(self._fault)

    def spare(self) -> None:
        """Unless it was done, it does not count: there was nothing to do it to."""
        if not self._settled:
            self._settled = True
            self._fault.spare()

    async def pause(self, seconds: float) -> None:
        """Wait for so long, but not beyond the end of the fault."""
        await self._fault.pause(seconds)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
