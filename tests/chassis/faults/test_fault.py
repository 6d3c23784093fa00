"""Laws of one fault: its blast radius, its states, and that it ends."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.faults.fault import ActiveFault
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import active

COUNTS = st.integers(0, 40)


def hits(fault: ActiveFault, tries: int) -> list[int]:
    """Which of so many fitting requests are hit."""
    return [number for number in range(tries) if fault.claim() is not None]


@given(skip=COUNTS, first=st.integers(1, 40), tries=COUNTS)
def test_skip_and_first_cut_out_a_window(skip: int, first: int, tries: int) -> None:
    """At 100 % just those behind the skipped ones are hit, and no more than `first`: fail N, then recover."""
    assert hits(active(skip=skip, first=first), tries) == list(range(tries))[skip : skip + first]


@given(seed=st.integers(), percent=st.floats(0, 100), skip=COUNTS, first=st.integers(1, 40))
def test_the_seed_decides(seed: int, percent: float, skip: int, first: int) -> None:
    """The same seed hits the same requests, and never more than `first` of them."""
    runs = [hits(active(seed=seed, percent=percent, skip=skip, first=first), 60) for _ in range(2)]

    assert runs[0] == runs[1]
    assert len(runs[0]) <= first
    assert all(number >= skip for number in runs[0])


@given(seed=st.integers(), small=st.floats(0, 100), large=st.floats(0, 100))
def test_a_higher_chance_hits_the_same_and_more(seed: int, small: float, large: float) -> None:
    """Of two faults with one seed the likelier one hits whatever the other one does."""
    small, large = sorted((small, large))

    fewer = hits(active(seed=seed, percent=small), 50)
    assert set(fewer) <= set(hits(active(seed=seed, percent=large), 50))


def test_percent_is_a_chance() -> None:
    """Over many requests about the share is hit; at 0 none, at 100 all."""
    assert len(hits(active(percent=30), 5_000)) == pytest.approx(1_500, rel=0.1)
    assert hits(active(percent=0), 1_000) == []
    assert len(hits(active(percent=100), 1_000)) == 1_000


async def test_a_state_lasts_as_long_as_it_says() -> None:
    """Entered once, every request meets it for the duration; then the next one draws again."""
    clock = FakeClock()
    fault = active(clock=clock, percent=10, duration=5.0, lease=600)
    while fault.claim() is None:
        pass
    assert hits(fault, 200) == list(range(200))

    await clock.advance(5)

    assert 0 < len(hits(fault, 1)) + 1 < 3
    fresh = active(clock=clock, percent=10, duration=0.0)
    assert len(hits(fresh, 200)) < 60


def test_without_an_end_a_state_lasts_until_the_lease_does() -> None:
    """Duration None is the crash of the exercise: once in, never out."""
    clock = FakeClock()
    fault = active(clock=clock, percent=10, duration=None, lease=60)
    while fault.claim() is None:
        pass

    clock.jump(59)
    assert hits(fault, 50) == list(range(50))
    clock.jump(1)
    assert hits(fault, 50) == []


@pytest.mark.parametrize("how", ["lease", "end"])
def test_what_is_over_hits_nobody(how: str) -> None:
    """No request is hit once the lease is over, with nobody there to end it; or once it was ended."""
    clock = FakeClock()
    fault = active(clock=clock, lease=60)
    assert fault.claim() is not None

    if how == "lease":
        clock.jump(60)
    else:
        fault.end()

    assert fault.over
    assert fault.claim() is None
    assert fault.described().remaining_seconds == 0


def test_a_renewed_lease_starts_anew() -> None:
    """Whoever watches the experiment keeps the fault in place, a lease at a time."""
    clock = FakeClock()
    fault = active(clock=clock, lease=60)
    clock.jump(50)
    fault.renew(60)
    clock.jump(50)

    assert fault.claim() is not None
    assert fault.described().remaining_seconds == 10


async def test_a_pause_follows_the_lease() -> None:
    """It ends with the lease, goes on with a renewed one, and has nothing left of it afterwards."""
    clock = FakeClock()
    fault = active(clock=clock, lease=10)
    pausing = asyncio.create_task(fault.pause(60))
    await clock.advance(5)
    fault.renew(20)
    await clock.advance(19)
    assert not pausing.done()

    await clock.advance(1)

    await pausing
    assert clock.sleepers == 0


def test_a_hit_counts_once_and_only_when_done() -> None:
    """A spared one makes room for another; a done one cannot be spared."""
    fault = active(first=1)
    hit = fault.claim()
    assert hit is not None
    assert fault.claim() is None
    hit.spare()
    hit.spare()

    told: list[str] = []
    again = fault.claim(told)
    assert again is not None
    again.done()
    again.done()
    again.spare()

    assert (fault.met, told) == (1, ["f"])
    assert fault.claim() is None
