"""The test kit itself: a wrong fake clock would make every other test lie."""

import asyncio

import pytest

from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.testing import FakeClock, ScriptedCall


async def test_sleepers_wake_in_the_order_of_their_time_each_at_its_own() -> None:
    """One `advance` over several sleepers wakes each at exactly its time, earliest first."""
    clock = FakeClock(start=0.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
            group.create_task(sleeper(name, seconds))
        await clock.advance(5.0)
    assert woken == [("early", 1.0), ("middle", 2.0), ("late", 3.0)]
    assert clock.monotonic() == 5.0


async def test_a_sleeper_that_sleeps_again_is_woken_again_within_one_advance() -> None:
    """What a sleeper starts on waking belongs to the same advance."""
    clock = FakeClock(start=0.0)
    beats: list[float] = []

    async def beat() -> None:
        for _ in range(3):
            await clock.sleep(1.0)
            beats.append(clock.monotonic())

    task = asyncio.create_task(beat())
    await clock.advance(10.0)
    await task
    assert beats == [1.0, 2.0, 3.0]


async def test_a_cancelled_sleeper_leaves_nothing_behind() -> None:
    """Cancelling a sleeper frees its timer."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0


async def test_a_timer_goes_off_once_unless_cancelled() -> None:
    """`call_at` fires at its time; `cancel` takes it back."""
    clock = FakeClock(start=0.0)
    fired: list[str] = []
    clock.call_at(1.0, lambda: fired.append("kept"))
    clock.call_at(1.0, lambda: fired.append("cancelled")).cancel()
    await clock.advance(0.5)
    assert fired == []
    await clock.advance(0.5)
    await clock.advance(5.0)
    assert fired == ["kept"]


async def test_the_system_clock_keeps_the_same_contract() -> None:
    """Both clocks are `Clock`s, and the real one's timer and sleep do elapse."""
    assert isinstance(SYSTEM_CLOCK, Clock)
    assert isinstance(FakeClock(), Clock)
    fired = asyncio.Event()
    SYSTEM_CLOCK.call_at(SYSTEM_CLOCK.monotonic() + 0.01, fired.set)
    await asyncio.wait_for(fired.wait(), 5)
    before = SYSTEM_CLOCK.monotonic()
    await SYSTEM_CLOCK.sleep(0.01)
    assert SYSTEM_CLOCK.monotonic() - before >= 0.009


async def test_a_script_plays_its_outcomes_in_order_and_repeats_the_last() -> None:
    """Values are returned and exceptions raised as written down."""
    call = ScriptedCall[int]([1, OSError("down"), 2])
    assert await call() == 1
    with pytest.raises(OSError, match="down"):
        await call()
    assert [await call(), await call()] == [2, 2]
    assert call.calls == 4
