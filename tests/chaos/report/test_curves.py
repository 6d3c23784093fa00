"""Curves from samples, and long ones made short."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.record import Curve, Outcome, Sample
from chaos.report.curves import (
    GOODPUT,
    LATENCY_P50,
    LATENCY_P95,
    MAX_POINTS,
    RATES,
    STALE_AGE,
    STALE_SHARE,
    curves_of,
    drawable,
    read_samples,
    shortened,
    together,
)
from tests.chaos.report import weather


def sample(
    at: float, waited: float = 0.1, outcome: Outcome = Outcome.FRESH, age: float | None = None
) -> Sample:
    return Sample(
        intended=at,
        started=at,
        ended=at + waited,
        journey="j",
        step="me",
        outcome=outcome,
        stale_age=age,
    )


def by_name(*samples: Sample) -> dict[str, list[float | None]]:
    return {curve.name: [value for _, value in curve.points] for curve in curves_of(samples)}


def test_latency_counts_from_when_it_was_wanted() -> None:
    """Quantiles are those of the requests wanted in a second, though they were answered later."""
    told = by_name(*(sample(0.0, waited) for waited in (1.0, 2.0, 3.0, 40.0)), sample(1.5, 0.2))
    assert told[LATENCY_P50] == pytest.approx([2.0, 0.2])
    assert told[LATENCY_P95] == pytest.approx([40.0, 0.2])


def test_a_second_without_requests_is_a_gap_and_no_zero() -> None:
    """Nobody waited zero seconds when nobody asked; that nobody was answered is a zero."""
    told = by_name(sample(0.5), sample(2.5))
    assert told[LATENCY_P50][1] is None
    assert told[STALE_SHARE][1] is None
    assert told[RATES[Outcome.FRESH]] == [1, 0, 1]
    assert told[GOODPUT][1] == 0


def test_staleness_has_a_share_and_the_oldest_age() -> None:
    """One answer of two is half, and the older copy counts."""
    told = by_name(
        sample(0.1, outcome=Outcome.STALE, age=4.0),
        sample(0.2, outcome=Outcome.STALE, age=9.0),
        sample(0.3),
        sample(0.4, outcome=Outcome.FAILED),
    )
    assert told[STALE_SHARE] == [0.5]
    assert told[STALE_AGE] == [9.0]
    assert told[GOODPUT] == [3.0]


def test_no_samples_give_no_curves() -> None:
    """An axis without anything on it would look like a measurement."""
    assert curves_of([]) == ()


@given(values=st.lists(st.none() | st.floats(-1e9, 1e9), max_size=400), most=st.integers(2, 60))
def test_a_short_curve_keeps_its_peaks(values: list[float | None], most: int) -> None:
    """It has no more points than allowed, all of them real and in order, with the extremes among them."""
    curve = Curve(
        name="c", unit="s", points=tuple((float(at), value) for at, value in enumerate(values))
    )
    short = shortened(curve, most)
    assert len(short.points) <= max(most, 2)
    assert set(short.points) <= set(curve.points)
    assert all(before[0] < after[0] for before, after in pairwise(short.points))
    real = [value for value in values if value is not None]
    kept = [value for _, value in short.points if value is not None]
    if real:
        assert (min(kept), max(kept)) == (min(real), max(real))


@given(
    rows=st.lists(st.lists(st.integers(0, 50), min_size=7, max_size=7), min_size=1, max_size=80),
    most=st.integers(1, 30),
)
def test_stacked_rates_share_their_times_and_keep_the_number_of_answers(
    rows: list[list[int]], most: int
) -> None:
    """After shortening, all curves have the same times, and rate times duration is what it was."""
    curves = [
        Curve(
            name=name,
            unit="1/s",
            points=tuple((float(at), float(row[place])) for at, row in enumerate(rows)),
        )
        for place, name in enumerate(RATES.values())
    ]
    short = together(curves, most)
    assert len({tuple(at for at, _ in curve.points) for curve in short}) == 1
    assert len(short[0].points) == min(most, len(rows))
    bounds = [
        number * len(rows) // len(short[0].points) for number in range(len(short[0].points) + 1)
    ]
    for curve, before in zip(short, curves, strict=True):
        answers = sum(
            (value or 0.0) * (end - start)
            for (_, value), (start, end) in zip(curve.points, pairwise(bounds), strict=True)
        )
        assert answers == pytest.approx(sum(value or 0.0 for _, value in before.points))


def test_the_bound_is_what_a_report_draws_with() -> None:
    """By default a curve has at most the named number of points."""
    curve = Curve(name="c", unit="s", points=tuple((at / 10, 1.0) for at in range(10_000)))
    assert len(shortened(curve).points) <= MAX_POINTS


def test_values_that_no_axis_has_a_place_for_become_gaps() -> None:
    """Infinity and not-a-number are gaps, and a point at no time is dropped."""
    points = ((0.0, float("inf")), (1.0, float("nan")), (float("nan"), 1.0), (2.0, 3.0))
    assert drawable(Curve(name="c", unit="s", points=points)).points == (
        (0.0, None),
        (1.0, None),
        (2.0, 3.0),
    )


def test_a_torn_last_line_of_a_killed_load_is_left_out(tmp_path: Path) -> None:
    """Everything before it counts; a whole line that is no sample is an error."""
    lines = [msgspec.json.encode(one) + b"\n" for one in weather.samples(seconds=2)]
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b"".join(lines) + lines[0][:20])
    assert len(list(read_samples(path))) == len(lines)
    path.write_bytes(b'{"nonsense": 1}\n' + lines[0])
    with pytest.raises(msgspec.ValidationError):
        list(read_samples(path))
