"""Rates, shares and times from what was read, and their course."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baluarte.console.curves import (
    SPAN,
    WINDOW,
    Bands,
    History,
    Point,
    Window,
    point,
    quantile,
    stale_rate,
)
from baluarte.console.reading import Reading, read
from tests.baluarte.console.grounds import Process


def reading(at: float, ok: float = 0, error: float = 0, degraded: float = 0) -> Reading:
    found = Reading(at)
    found.operations.update(ok=ok, error=error, degraded=degraded)
    total = ok + error + degraded
    found.buckets.update({0.1: total, 1.0: total, float("inf"): total})
    return found


def window(*readings: Reading) -> Window:
    made = Window()
    for one in readings:
        made.add(one)
    return made


def test_a_point_says_what_happened_within_the_window() -> None:
    """Per second, and as shares of what was answered."""
    found = point(50.0, window(reading(0, ok=100), reading(4, ok=106, error=1, degraded=3)), 0.5)
    assert (found.at, found.rate, found.errors, found.degraded) == (50.0, 2.5, 0.1, 0.3)
    assert found.stale == 0.5
    assert found.p50 == pytest.approx(0.05)


def test_nothing_asked_is_no_share() -> None:
    """0 requests a second, and neither 0 % errors nor a time."""
    found = point(0.0, window(reading(0, ok=5), reading(1, ok=5)), None)
    assert (found.rate, found.errors, found.degraded, found.p95) == (0.0, None, None, None)


def test_who_cannot_be_asked_has_no_rate() -> None:
    """A gap, and not a zero; also when all that is known is from before."""
    lost = window(reading(0, ok=5), reading(1, ok=9))
    lost.lost()
    for silent in (Window(), window(reading(0, ok=5)), lost):
        assert point(3.0, silent, None) == Point(3.0)
    assert point(0.0, window(reading(0), reading(500)), None).rate is None


def test_a_restart_counts_on() -> None:
    """Counters begin anew at 0; what they have since then did happen."""
    found = point(0.0, window(reading(0, ok=1000), reading(2, ok=6)), None)
    assert found.rate == 3.0


def test_a_window_forgets_what_is_older() -> None:
    """But for one reading, from which it counts; however long it is fed, it stays small."""
    made = Window()
    for second in range(1000):
        made.add(reading(float(second), ok=second))
    assert made.ends is not None
    first, last = made.ends
    assert last.at - first.at == WINDOW
    assert len(made._readings) <= WINDOW + 2


@given(
    counts=st.lists(st.integers(0, 50), min_size=3, max_size=3),
    share=st.sampled_from([0.5, 0.95, 0.99]),
)
def test_a_quantile_lies_in_its_bucket(counts: list[int], share: float) -> None:
    """Where that share of the requests was answered; beyond the last bound, that bound."""
    bounds = [0.1, 1.0, float("inf")]
    cumulative = {bound: float(sum(counts[: i + 1])) for i, bound in enumerate(bounds)}
    found = quantile(share, cumulative)
    total = sum(counts)
    if not total:
        assert found is None
        return
    assert found is not None
    index = next(i for i, bound in enumerate(bounds) if cumulative[bound] >= share * total)
    low = 0.0 if index == 0 else bounds[index - 1]
    high = bounds[index] if index < 2 else 1.0
    assert low <= found <= high


def test_copies_are_summed_over_processes() -> None:
    """Whoever served them; None when nobody can be asked."""
    process = Process("users")
    first = read(process.page(), 0.0)
    process.copies.labels("users", "stale").inc(8)
    both = window(first, read(process.page(), 4.0))
    assert stale_rate([both, Window(), both]) == 4.0
    assert stale_rate([Window()]) is None


def test_history_is_bounded_and_can_be_sent() -> None:
    """Ten minutes, however long it goes on; and JSON that every browser reads."""
    history = History()
    for second in range(2000):
        history.add(Point(float(second), 1 / 3))
    assert history.points[0].at >= 2000 - SPAN - 1
    assert len(history.points) <= 601
    text = json.dumps([one.told() for one in history.points], allow_nan=False)
    assert text.count("0.3333") == len(history.points)


def test_a_band_is_as_long_as_its_fault() -> None:
    """From when it was first seen to when it was not any more; then it is forgotten in time."""
    bands = Bands()
    bands.see(10.0, {"a": "hold at users"})
    bands.see(12.0, {"a": "hold at users", "b": "latency"})
    bands.see(15.0, {"b": "latency"})
    bands.see(16.0, {"b": "latency"})
    assert [(one.label, one.since, one.until) for one in bands.all] == [
        ("hold at users", 10.0, 15.0),
        ("latency", 12.0, None),
    ]
    bands.forget(15.5)
    assert [one.label for one in bands.all] == ["latency"]


def test_bands_are_bounded() -> None:
    """A thousand faults at once are a mistake, and no reason to grow."""
    bands = Bands()
    bands.see(0.0, {str(number): "x" for number in range(1000)})
    assert len(bands.all) == Bands.MOST
