"""Axes, and numbers in words."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.report import words
from chaos.report.scales import Scale, latency_scale, time_scale, value_scale

values = st.lists(st.floats(1e-4, 1e6), min_size=1, max_size=20)


def holds_all(scale: Scale, its: list[float]) -> None:
    """Every value is on the axis and in order, and ticks are few, in order and inside."""
    places = [scale(value) for value in sorted(its)]
    assert all(before <= after for before, after in pairwise(places))
    assert scale.low <= min(its) * 1.001
    assert scale.high >= max(its) * 0.999
    assert 2 <= len(scale.ticks) <= 12
    assert all(before < after for before, after in pairwise(scale.ticks))
    assert scale.ticks[0] >= scale.low * 0.999
    assert scale.ticks[-1] <= scale.high * 1.001


@given(its=values)
def test_an_axis_of_values_starts_at_zero_and_holds_them_all(its: list[float]) -> None:
    """No value is cut off, and heights compare, because the axis starts at zero."""
    scale = value_scale(its, 0, 100)
    holds_all(scale, its)
    assert scale.low == 0
    assert scale(0) == 0


@given(its=values)
def test_an_axis_of_latency_holds_them_all(its: list[float]) -> None:
    """Logarithmic or not, no value is cut off."""
    holds_all(latency_scale(its, 0, 100), its)


def test_an_axis_is_logarithmic_only_when_values_are_far_apart() -> None:
    """A fault of seconds over a baseline of milliseconds needs it; a calm run does not."""
    assert latency_scale([0.03, 5.0], 0, 100).logarithmic
    assert not latency_scale([0.03, 0.06], 0, 100).logarithmic
    assert not latency_scale([0.0], 0, 100).logarithmic


@given(until=st.floats(0.1, 20_000))
def test_seconds_are_counted_in_steps_that_people_use(until: float) -> None:
    """There are at most thirteen ticks, from zero on, evenly spaced."""
    scale = time_scale(until, 0, 100)
    assert scale.ticks[0] == 0
    assert 1 <= len(scale.ticks) <= 13
    assert len({after - before for before, after in pairwise(scale.ticks)}) <= 1


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.34, "340 ms"),
        (0.9999, "1 s"),
        (1.234, "1.23 s"),
        (60, "60 s"),
        (125, "2 min 5 s"),
        (180, "3 min"),
        (float("nan"), "–"),
    ],
)
def test_durations_are_told_in_the_unit_that_fits(value: float | None, told: str) -> None:
    """Milliseconds, seconds, minutes; a dash where nothing was measured."""
    assert words.seconds(value) == told


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (None, "–"),
        (0, "0 %"),
        (0.617, "61.7 %"),
        (1, "100 %"),
        (0.99999, "99.99 %"),
        (0.9949, "99.49 %"),
        (0.991, "99.1 %"),
    ],
)
def test_what_is_not_all_is_never_rounded_up_to_all(share: float | None, told: str) -> None:
    """One lost answer in a hundred thousand is not 100 %."""
    assert words.percent(share) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (1.25, "1.25"),
        (12.34, "12.3"),
        (143.2, "143"),
        (12_400, "12,400"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float, told: str) -> None:
    """More would pretend to a precision that no run has."""
    assert words.number(value) == told
