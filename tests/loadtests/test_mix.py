"""Journeys by weight and users by cohort, as the command line writes them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.mix import cohorts, weights


def test_weights_are_read() -> None:
    """A name without a weight weighs one."""
    assert weights("overview=4, pay=2.5,login") == {"overview": 4.0, "pay": 2.5, "login": 1.0}


@pytest.mark.parametrize("text", ["", "pay=x", "pay=0", "pay=-1", "pay=inf", "pay=nan", "xy=1"])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    """A mistake is told before anything is started."""
    with pytest.raises(ValueError, match=r"weight|choose from"):
        weights(text, ["pay"])


@given(st.integers(1, 200), st.integers(1, 99), st.integers(0, 1_000))
def test_cohorts_are_as_near_to_their_shares_as_whole_users_can_be(
    users: int, share: int, seed: int
) -> None:
    """Less than one user away, for any share and seed; and the same seed gives the same cohorts."""
    shares = {"a": float(share), "b": float(100 - share)}
    found = cohorts(shares, users, seed)
    assert len(found) == users
    assert abs(Counter(found)["a"] - users * share / 100) < 1
    assert found == cohorts(shares, users, seed)
