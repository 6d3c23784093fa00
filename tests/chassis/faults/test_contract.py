"""What is said over the wire means the same to everybody."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.faults.contract import MAX_LEASE_SECONDS, NewFault, in_cohort

USERS = st.uuids().map(str)
SHARES = st.floats(0, 100)


@given(user=USERS, small=SHARES, large=SHARES)
def test_a_larger_cohort_holds_the_smaller_one(user: str, small: float, large: float) -> None:
    """A user is always in a cohort or never; a wider one adds users and swaps none."""
    small, large = sorted((small, large))

    assert in_cohort(user, small) <= in_cohort(user, large)
    assert not in_cohort(user, 0)
    assert in_cohort(user, 100)


def test_a_cohort_is_the_share_that_it_says() -> None:
    """Of many users about the share is in it; and the hash is pinned, as reports compare runs."""
    users = [f"user-{number}" for number in range(4_000)]

    assert sum(in_cohort(user, 25) for user in users) == pytest.approx(1_000, rel=0.1)
    assert [in_cohort(user, 50) for user in users[:8]] == [
        *(True, False, False, False),
        *(False, True, True, True),
    ]


@pytest.mark.parametrize("lease", [0, -1, MAX_LEASE_SECONDS + 1, "long", None])
def test_no_fault_without_a_lease_that_ends(lease: object) -> None:
    """There is no default and no for ever."""
    order = {"type": "abort"} | ({} if lease is None else {"leaseSeconds": lease})

    with pytest.raises(msgspec.ValidationError, match="leaseSeconds"):
        msgspec.json.decode(msgspec.json.encode(order), type=NewFault)
