"""Thresholds: what is good enough, at its edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.record import Outcome, Sample
from loadtests.thresholds import KEPT, Thresholds, percentile


def sample(seconds: float = 0.1, outcome: Outcome = Outcome.FRESH, late: float = 0.0) -> Sample:
    return Sample(
        intended=1.0,
        started=1.0 + late,
        ended=1.0 + late + seconds,
        journey="overview",
        step="me",
        outcome=outcome,
    )


def test_a_load_within_its_thresholds_has_missed_none() -> None:
    """Nineteen fast answers and a slow one are a fast 95th percentile."""
    samples = [sample() for _ in range(19)] + [sample(9.0)]
    assert Thresholds(p95_seconds=0.2, error_share=0.0).judge(samples) == []


def test_waiting_for_a_free_user_counts() -> None:
    """Latency is from the intended start: a queue in front of the load is not hidden."""
    (sentence,) = Thresholds(p95_seconds=0.2).judge([sample(late=3.0)] * 20)
    assert "p95 was 3.100 s" in sentence


@pytest.mark.parametrize("outcome", Outcome)
def test_what_keeps_a_promise_is_no_error(outcome: Outcome) -> None:
    """Stale, partial and queued answers are as promised; refused, unknown and failed ones are not."""
    missed = Thresholds(error_share=0.0).judge([sample(outcome=outcome)])
    assert bool(missed) == (outcome not in KEPT)


def test_no_request_is_not_good_enough() -> None:
    """Nothing was measured, so nothing is known."""
    assert Thresholds().judge([]) == ["no request was sent, so nothing is known"]


@pytest.mark.parametrize(("p95", "share"), [(0.0, 0.1), (1.0, -0.1), (1.0, 1.1)])
def test_thresholds_that_make_no_sense_are_refused(p95: float, share: float) -> None:
    """A mistake is not taken for a threshold that is always met."""
    with pytest.raises(ValueError, match=r"p95|share"):
        Thresholds(p95, share)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 1))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(
    values: list[float], share: float
) -> None:
    """By definition: that share of the values is not above it, and it is one of them."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
