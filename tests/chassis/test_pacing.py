"""Pauses: how long, and who ends them."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.pacing import Backoff, Pace
from resilience.testing import FakeClock, settle


@given(st.integers(1, 10_000), st.integers())
def test_backoff_is_bounded(failures: int, seed: int) -> None:
    """A pause is never beyond its maximum, nor below half of what its turn asks for."""
    pause = Backoff(0.5, 60).pause(failures, random.Random(seed))
    full = min(60, 0.5 * 2 ** min(failures - 1, 20))
    assert full / 2 <= pause <= full


@pytest.mark.parametrize(("minimum", "maximum"), [(0, 1), (2, 1), (-1, 1)])
def test_backoff_validates_itself(minimum: float, maximum: float) -> None:
    """A backoff that would spin or shrink cannot be made."""
    with pytest.raises(ValueError, match="minimum"):
        Backoff(minimum, maximum)


async def test_pause_takes_its_time() -> None:
    """A pause that nobody ends lasts as long as asked."""
    clock = FakeClock()
    pausing = asyncio.create_task(Pace(clock=clock).pause(2))
    await clock.advance(1.9)
    assert not pausing.done()
    await clock.advance(0.2)
    assert pausing.done()


async def test_wake_ends_the_next_pause_too() -> None:
    """A wake-up between two pauses is not lost, and counts once."""
    clock = FakeClock()
    pace = Pace(clock=clock)
    pace.wake()
    await pace.pause(100)
    pausing = asyncio.create_task(pace.pause(100))
    await settle()
    assert not pausing.done()
    pace.wake()
    await pausing


async def test_stop_ends_this_pause_and_all_later_ones() -> None:
    """After `stop` nothing waits any more."""
    pace = Pace(clock=FakeClock())
    pausing = asyncio.create_task(pace.pause(100))
    await settle()
    pace.stop()
    await pausing
    await pace.pause(100)
    assert pace.stopping


async def test_cancelled_task_is_stopping() -> None:
    """A cancellation that something absorbed still ends the loop."""
    seen: list[bool] = []

    async def loop() -> None:
        pace = Pace()
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append(pace.stopping)

    task = asyncio.create_task(loop())
    await settle()
    task.cancel()
    await task
    assert seen == [True]


async def test_a_quiet_queue_is_looked_at_less_often() -> None:
    """After many empty looks the pauses grow, up to a bound; one find makes them short again."""
    clock = FakeClock()
    pace = Pace(clock=clock, rng=random.Random(1))

    async def poll() -> float:
        began = clock.monotonic()
        polling = asyncio.create_task(pace.poll(0.02, 0.02))
        while not polling.done():
            await clock.advance(0.01)
        return round(clock.monotonic() - began, 2)

    busy = [await poll() for _ in range(20)]
    quiet = [await poll() for _ in range(110)][-1]
    pace.found()

    assert set(busy) <= {0.02, 0.03}
    assert 0.1 <= quiet <= 0.12
    assert await poll() <= 0.03
