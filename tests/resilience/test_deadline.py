"""The deadline: a value that only ever shrinks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.deadline import Deadline, DeadlineExceeded
from resilience.testing import FakeClock


def test_the_time_left_shrinks_with_the_clock_and_stops_at_zero() -> None:
    """`remaining` follows the clock down to zero and never below."""
    clock = FakeClock()
    deadline = Deadline.after(2.0, clock)
    clock.jump(1.5)
    assert deadline.remaining() == pytest.approx(0.5)
    assert not deadline.expired
    clock.jump(1.0)
    assert deadline.remaining() == 0.0
    assert deadline.expired


@given(own=st.floats(0, 100), wish=st.floats(0, 100))
def test_shortening_never_makes_a_deadline_later(own: float, wish: float) -> None:
    """`shorten` yields the earlier of the two, whatever is asked."""
    deadline = Deadline.after(own, FakeClock())
    assert deadline.shorten(wish).at == min(deadline.at, deadline.clock.monotonic() + wish)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("250", 0.25),
        ("0", 0.0),
        ("60000", 2.0),
        (None, 2.0),
        ("", 2.0),
        ("-5", 2.0),
        ("1e3", 2.0),
        ("٣", 2.0),
        ("9" * 5_000, 2.0),
    ],
)
def test_a_client_can_only_shorten_our_deadline(header: str | None, seconds: float) -> None:
    """A header yields its own milliseconds up to the ceiling; nonsense yields the ceiling."""
    deadline = Deadline.from_milliseconds(header, ceiling=2.0, clock=FakeClock())
    assert deadline.remaining() == pytest.approx(seconds)


def test_the_next_hop_is_told_whole_milliseconds_rounded_down() -> None:
    """What is sent on is never more than what is left."""
    assert Deadline.after(0.2509, FakeClock()).remaining_milliseconds() == 250


def test_an_expired_deadline_says_what_could_not_start() -> None:
    """`check` passes while time is left, and is a TimeoutError that names the work after."""
    clock = FakeClock()
    deadline = Deadline.after(1.0, clock)
    deadline.check("the posting")
    clock.jump(1.0)
    with pytest.raises(DeadlineExceeded, match="the posting") as caught:
        deadline.check("the posting")
    assert isinstance(caught.value, TimeoutError)


def test_nan_is_no_deadline() -> None:
    """A deadline that compares false with everything is refused where it is made."""
    with pytest.raises(ValueError, match=r"^a deadline cannot be NaN seconds away$"):
        Deadline.after(float("nan"))


def test_an_earlier_deadline_leaves_time_for_what_comes_after() -> None:
    """It is earlier by what is asked for, never later, and on the same clock."""
    clock = FakeClock()
    deadline = Deadline.after(2.0, clock)
    assert deadline.earlier(0.5) == Deadline(clock.monotonic() + 1.5, clock)
    assert deadline.earlier(-0.5) == deadline
    assert deadline.earlier(0.5).clock is clock


def test_shortening_keeps_the_clock_and_what_is_short_enough() -> None:
    """A deadline that is no later is handed back as it is; a new one runs on the same clock."""
    clock = FakeClock()
    deadline = Deadline.after(2.0, clock)
    assert deadline.shorten(2.0) is deadline
    assert deadline.shorten(1.0).clock is clock


def test_a_header_of_twelve_digits_is_read_and_a_longer_one_is_not() -> None:
    """Twelve digits are thirty years in milliseconds; no honest client sends more."""
    clock = FakeClock()
    for text, seconds in (("500".zfill(12), 0.5), ("500".zfill(13), 2.0)):
        assert Deadline.from_milliseconds(text, 2.0, clock).remaining() == seconds


def test_what_could_not_start_is_the_call_unless_it_has_a_name() -> None:
    """The message is complete without an argument."""
    with pytest.raises(
        DeadlineExceeded, match=r"^the deadline passed before the call could start$"
    ):
        Deadline.after(0.0, FakeClock()).check()
