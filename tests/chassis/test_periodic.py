"""Work that is repeated."""

import asyncio

import pytest

from chassis.periodic import Periodic
from resilience.testing import FakeClock, settle


class Work:
    """Has as much to do as it is told."""

    def __init__(self, *more: bool) -> None:
        self.more = list(more)
        self.done = 0

    async def __call__(self) -> bool:
        self.done += 1
        return bool(self.more) and self.more.pop(0)


async def test_pauses_when_nothing_is_left() -> None:
    """It works on at once while more is waiting, and rests for the interval when there is not."""
    clock, stop, work = FakeClock(), asyncio.Event(), Work(True, True, False)
    task = asyncio.create_task(Periodic("work", work, every=10, clock=clock).run(stop))
    await settle()
    assert work.done == 3
    await clock.advance(7.9)
    assert work.done == 3
    await clock.advance(4.2)
    assert work.done == 4
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_stop_ends_a_pause() -> None:
    """However long the pause, a stop ends it at once."""
    stop, work = asyncio.Event(), Work()
    task = asyncio.create_task(Periodic("work", work, every=3600).run(stop))
    await settle()
    stop.set()
    await asyncio.wait_for(task, 5)
    assert work.done == 1


async def test_failure_ends_the_run() -> None:
    """What the work raises is left to the supervisor of workers."""

    async def fail() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Periodic("work", fail, every=1).run(asyncio.Event())
