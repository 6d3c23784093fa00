"""The open model: when arrivals come, who waits, and that nobody is forgotten."""

import itertools
import random
import statistics
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.limits import BACKLOG_SECONDS, MIN_BACKLOG
from loadtests.pacing import Arrival, Backlog, arrivals, backlog_bound, pace
from loadtests.shapes import SHAPES
from loadtests.shapes.spike import BEFORE, LASTS, PERIOD, TIMES

rates = st.floats(0.5, 200)
seeds = st.integers(0, 2**32)
shapes = st.sampled_from(sorted(SHAPES))


class Flag:
    """A signal that nobody has to wait for: what is waited for must be there already."""

    def set(self) -> None:
        """Nobody waits."""

    def clear(self) -> None:
        """Nobody waits."""

    def is_set(self) -> bool:
        return True

    def wait(self, timeout: float | None = None) -> object:
        raise AssertionError("would wait for ever")


class Time:
    """A clock that only `pause` moves."""

    def __init__(self, over_at: float = float("inf"), lag: float = 0.0) -> None:
        self.seconds = 0.0
        self._over_at = over_at
        self._lag = lag

    def now(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> bool:
        self.seconds += seconds + self._lag
        return self.seconds >= self._over_at


def times(name: str, rate: float, seed: int, count: int) -> list[float]:
    return list(itertools.islice(SHAPES[name].times(rate, random.Random(seed)), count))


def steady(count: int, every: float) -> Iterator[Arrival]:
    return (Arrival(number, number * every, "overview") for number in range(count))


@given(shapes, rates, seeds)
def test_time_never_runs_back(name: str, rate: float, seed: int) -> None:
    """Of every shape: arrivals are in order, and none is before the beginning."""
    found = times(name, rate, seed, 200)
    assert found == sorted(found)
    assert found[0] >= 0


@given(rates, seeds)
def test_the_constant_shape_has_one_arrival_in_each_slot(rate: float, seed: int) -> None:
    """The rate is exact over any span, however the jitter falls."""
    found = times("constant", rate, seed, 100)
    assert all(slot <= at * rate + 1e-6 <= slot + 1 + 1e-6 for slot, at in enumerate(found))


@given(st.sampled_from(["constant", "poisson", "spike"]), seeds)
def test_the_average_rate_is_the_one_asked_for(name: str, seed: int) -> None:
    """Over many periods each shape offers its rate, within what a Poisson process spreads."""
    rate, seconds = 20.0, 50 * PERIOD
    count = sum(1 for _ in itertools.takewhile(lambda at: at < seconds, _endless(name, rate, seed)))
    assert count == pytest.approx(rate * seconds, rel=0.05)


def _endless(name: str, rate: float, seed: int) -> Iterator[float]:
    return SHAPES[name].times(rate, random.Random(seed))


@given(seeds)
def test_strangers_gaps_are_exponential(seed: int) -> None:
    """Of a Poisson process, mean and standard deviation of the gaps agree."""
    found = times("poisson", 10.0, seed, 4_000)
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.15)


@given(seeds)
def test_a_spike_is_as_many_times_higher_as_it_says(seed: int) -> None:
    """The rate within a spike over the rate before it."""
    found = [at for at in times("spike", 200.0, seed, 3_000) if at < PERIOD]
    before = sum(at < BEFORE for at in found) / BEFORE
    within = sum(BEFORE <= at < BEFORE + LASTS for at in found) / LASTS
    assert within / before == pytest.approx(TIMES, rel=0.05)


@given(shapes, seeds)
def test_the_same_seed_is_the_same_load(name: str, seed: int) -> None:
    """Times and journeys repeat; another seed is another load."""
    mix = {"overview": 4.0, "pay": 3.0}

    def made(of: int) -> list[Arrival]:
        return list(arrivals(SHAPES[name], 20.0, 10.0, mix, of))

    assert made(seed) == made(seed)
    assert made(seed) != made(seed + 1)


def test_journeys_come_by_their_weights() -> None:
    """Four to three, within the spread of ten thousand draws."""
    made = arrivals(SHAPES["constant"], 1_000.0, 10.0, {"overview": 4.0, "pay": 3.0}, seed=1)
    counts = Counter(arrival.journey for arrival in made)
    assert counts["overview"] / counts["pay"] == pytest.approx(4 / 3, rel=0.06)


def test_arrivals_do_not_wait_for_anybody() -> None:
    """With no user free, each arrival is offered at its own time, up to the bound; then it is told of."""
    time, backlog = Time(), Backlog(3, Flag())
    refused: list[tuple[int, float]] = []

    pace(
        steady(5, 0.1),
        backlog,
        now=time.now,
        pause=time.pause,
        refused=lambda arrival: refused.append((arrival.number, round(time.now(), 3))),
    )

    assert [arrival.number for arrival in backlog.abandon()] == [0, 1, 2]
    assert refused == [(3, 0.3), (4, 0.4)]


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 80))
def test_every_arrival_is_served_refused_or_left_over(count: int, bound: int, end: int) -> None:
    """None is silently dropped, whenever the load ends: all that were due before its end add up."""
    every = 1 / 16  # exact in binary
    time, backlog = Time(over_at=end * every), Backlog(bound, Flag())
    refused: list[Arrival] = []

    pace(steady(count, every), backlog, now=time.now, pause=time.pause, refused=refused.append)
    served = [backlog.take() for _ in range(min(2, len(backlog)))]
    backlog.close()

    told = [*served, *backlog.abandon(), *refused]
    assert sorted(a.number for a in told if a) == list(range(min(count, end)))


def test_a_load_that_lags_behind_says_by_how_much() -> None:
    """The generator's own lateness is measured, so that it is not taken for the platform's."""
    time, backlog = Time(lag=0.02), Backlog(100, Flag())

    late = pace(steady(10, 0.1), backlog, now=time.now, pause=time.pause, refused=lambda _: None)

    assert late == pytest.approx(0.02)
    assert len(backlog) == 10


def test_who_waits_is_served_first_come_first_served() -> None:
    """The order of the queue is the order of arrival, and its end is told."""
    backlog = Backlog(10, Flag())
    for arrival in steady(3, 1.0):
        assert backlog.offer(arrival)
    backlog.close()

    taken = [backlog.take() for _ in range(4)]

    assert [arrival.number if arrival else None for arrival in taken] == [0, 1, 2, None]
    assert not backlog.offer(Arrival(4, 4.0, "overview"))


@given(rates)
def test_the_backlog_is_bounded_in_seconds(rate: float) -> None:
    """As many may wait as come in that time; a few even when hardly any come."""
    bound = backlog_bound(rate)
    assert bound == max(MIN_BACKLOG, round(rate * BACKLOG_SECONDS))
