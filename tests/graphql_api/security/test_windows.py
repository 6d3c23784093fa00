"""The sliding window as a pure function."""

from hypothesis import given
from hypothesis import strategies as st

from graphql_api.security.windows import Window, decide

WINDOW = Window(100, 60.0)


def test_exactly_the_limit_passes_in_a_fresh_span() -> None:
    """The 100th passes, the 101st does not, and is told when the next will."""
    last = decide(WINDOW, previous=0, current=99, elapsed=1.0)
    assert (last.allowed, last.remaining) == (True, 0)
    refused = decide(WINDOW, previous=0, current=100, elapsed=1.0)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert 59.0 < refused.retry_after < 60.0


def test_the_span_before_fades() -> None:
    """Half-way through a span, half of the one before still counts."""
    decision = decide(WINDOW, previous=100, current=0, elapsed=30.0)
    assert (decision.allowed, decision.remaining, decision.reset) == (True, 49, 30.0)
    assert not decide(WINDOW, previous=100, current=50, elapsed=30.0).allowed


@given(
    st.integers(1, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.floats(0, 59.999),
)
def test_waiting_as_told_is_enough(limit: int, previous: int, current: int, elapsed: float) -> None:
    """Whoever waits for `retry_after` is admitted if nothing else came, and hardly earlier than needed."""
    window = Window(limit, 60.0)
    current = min(current, limit)
    previous = min(previous, limit)
    refused = decide(window, previous=previous, current=current, elapsed=elapsed)
    if refused.allowed:
        assert refused.retry_after == 0
        return

    def after(seconds: float) -> bool:
        at = elapsed + seconds
        if at < 60.0:
            return decide(window, previous=previous, current=current, elapsed=at).allowed
        return decide(window, previous=current, current=0, elapsed=at - 60.0).allowed

    assert after(refused.retry_after + 1e-6)
    assert refused.retry_after < 0.01 or not after(refused.retry_after - 0.01)


@given(st.lists(st.floats(0, 5), max_size=300), st.integers(1, 20))
def test_no_span_admits_more_than_the_limit(gaps: list[float], limit: int) -> None:
    """However requests are spaced, a counted span never holds more than the limit."""
    window = Window(limit, 10.0)
    now, index, previous, current = 0.0, 0, 0, 0
    for gap in gaps:
        now += gap
        at = int(now // 10)
        if at != index:
            previous, current, index = (current if at == index + 1 else 0), 0, at
        if decide(window, previous=previous, current=current, elapsed=now - at * 10).allowed:
            current += 1
        assert current <= limit
