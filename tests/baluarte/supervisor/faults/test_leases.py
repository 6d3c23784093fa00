"""Leases as values: what is in place, what is in the way, what is over."""

from hypothesis import given, settings
from hypothesis import strategies as st

from baluarte.supervisor.faults.leases import Fault, Leases


def fault(
    name: str = "a", part: str = "users", aspect: str = "process", ends: float = 10.0
) -> Fault:
    return Fault(name, part, "pause", aspect, 0.0, ends)


def test_a_lease_is_over_at_its_end_and_not_before() -> None:
    """`due` names it from the very instant on; `next_end` says how long until then."""
    leases = Leases().granted(fault(ends=10.0))
    assert leases.due(9.99) == ()
    assert leases.next_end(4.0) == 6.0
    assert leases.due(10.0) == leases.faults
    assert leases.next_end(12.0) == 0.0, "overdue is now, never in the past"


def test_no_lease_has_no_end() -> None:
    """Whoever waits for the next end waits for a change instead."""
    assert Leases().next_end(0.0) is None
    assert Leases().due(1e9) == ()


def test_one_fault_for_each_aspect_of_a_part() -> None:
    """A second one in the same place is in the way; another aspect or part is not."""
    first = fault("a")
    leases = Leases().granted(first)
    assert leases.in_the_way("users", "process") == first
    assert leases.in_the_way("users", "start") is None
    assert leases.in_the_way("ledger", "process") is None
    assert leases.named("a") == first
    assert leases.named("b") is None
    assert leases.on("users") == (first,)
    assert leases.without("b") == leases
    assert leases.without("a") == Leases()


def test_a_renewed_lease_ends_later_and_is_the_same_fault() -> None:
    """Only the named one; one that is over cannot be brought back by renewing it."""
    leases = Leases().granted(fault("a")).granted(fault("b", part="ledger"))
    renewed = leases.renewed("a", 20.0)
    assert [item.ends for item in renewed.faults] == [20.0, 10.0]
    assert [item.id for item in renewed.due(15.0)] == ["b"]
    assert leases.renewed("c", 20.0) == leases


@settings(deadline=None)
@given(st.lists(st.floats(0, 1_000), max_size=8), st.floats(0, 2_000))
def test_what_is_due_is_what_has_nothing_left(ends: list[float], now: float) -> None:
    """For any leases at any time, oldest end first; the values themselves never change."""
    leases = Leases()
    for number, end in enumerate(ends):
        leases = leases.granted(fault(str(number), part=f"part-{number}", ends=end))
    due = leases.due(now)
    assert set(due) == {item for item in leases.faults if item.remaining(now) == 0}
    assert [item.ends for item in due] == sorted(item.ends for item in due)
    assert len(leases.faults) == len(ends)
