"""The windows count right, whatever happens: each against a naive model."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.window import FAILED, GOOD, SLOW, ConsecutiveWindow, CountWindow, TimeWindow

OUTCOMES = st.sampled_from([GOOD, FAILED, SLOW, FAILED | SLOW])


@given(size=st.integers(1, 12), outcomes=st.lists(OUTCOMES, max_size=60))
def test_a_count_window_holds_the_last_calls_and_no_other(size: int, outcomes: list[int]) -> None:
    """After any sequence it counts exactly the last `size` outcomes."""
    window = CountWindow(size)
    for outcome in outcomes:
        window.record(outcome, 0.0)
    last = outcomes[-size:]
    assert window.calls == len(last)
    assert window.failures == sum(outcome & FAILED for outcome in last)
    assert window.slow == sum(bool(outcome & SLOW) for outcome in last)


@given(size=st.integers(1, 12), other=st.integers(1, 12), outcomes=st.lists(OUTCOMES, max_size=60))
def test_a_resized_window_remembers_the_newest_that_fit(
    size: int, other: int, outcomes: list[int]
) -> None:
    """Resizing keeps the newest outcomes, and it goes on counting right."""
    window = CountWindow(size)
    for outcome in outcomes:
        window.record(outcome, 0.0)
    resized = window.resized(other)
    kept = deque(outcomes[-size:], maxlen=other)
    assert resized.failures == sum(outcome & FAILED for outcome in kept)
    resized.record(FAILED, 0.0)
    kept.append(FAILED)
    assert (resized.calls, resized.failures) == (len(kept), sum(o & FAILED for o in kept))


@given(
    steps=st.lists(st.tuples(st.floats(0, 3, allow_nan=False), OUTCOMES), min_size=1, max_size=60),
    start=st.floats(0, 1e6),
)
def test_a_time_window_holds_the_buckets_of_the_last_seconds(
    steps: list[tuple[float, int]], start: float
) -> None:
    """It counts the outcomes whose bucket is among the newest ones, across any gaps."""
    width, buckets = 0.5, 4
    window = TimeWindow(width * buckets, buckets)
    seen: list[tuple[int, int]] = []
    now = start
    for gap, outcome in steps:
        now += gap
        window.record(outcome, now)
        seen.append((int(now / width), outcome))
    newest = seen[-1][0]
    recent = [outcome for bucket, outcome in seen if bucket > newest - buckets]
    assert window.calls == len(recent)
    assert window.failures == sum(outcome & FAILED for outcome in recent)
    assert window.slow == sum(bool(outcome & SLOW) for outcome in recent)


def test_a_time_window_counts_right_from_the_clocks_zero_on() -> None:
    """Its first bucket is one like the others, and expires alone."""
    window = TimeWindow(10.0, 10)
    window.record(FAILED, 0.5)
    window.record(SLOW, 1.5)
    window.record(GOOD, 10.5)
    assert (window.calls, window.failures, window.slow) == (2, 0, 1)


@pytest.mark.parametrize(
    ("outcomes", "run"),
    [
        ([], 0),
        ([FAILED, FAILED], 2),
        ([FAILED, GOOD, FAILED], 1),
        ([FAILED, SLOW], 2),
        ([GOOD], 0),
        ([SLOW] * 3, 3),
    ],
)
def test_a_run_of_bad_calls_ends_with_a_good_one(outcomes: list[int], run: int) -> None:
    """Failures and slow calls lengthen the run; a good call ends it."""
    window = ConsecutiveWindow()
    for outcome in outcomes:
        window.record(outcome, 0.0)
    assert (window.calls, window.failures) == (run, run)
    assert window.slow == sum(outcome == SLOW for outcome in outcomes[len(outcomes) - run :])
