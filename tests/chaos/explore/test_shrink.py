"""Failing sets of faults, made small."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from chaos.explore.calls import CallKey, FaultSet, Injected
from chaos.explore.shrink import shrink

FAULTS = tuple(Injected(CallKey("gateway", name, "/ask"), "error") for name in "abcde")


@given(
    guilty=st.lists(st.frozensets(st.sampled_from(FAULTS), max_size=3), min_size=1, max_size=3),
)
async def test_what_is_left_fails_and_nothing_of_it_can_go(
    guilty: list[frozenset[Injected]],
) -> None:
    """The shrunk set still fails, and no set that lacks one of its faults does."""
    runs = 0

    async def fails(faults: FaultSet) -> bool:
        nonlocal runs
        runs += 1
        return any(each <= set(faults) for each in guilty)

    smallest = await shrink(FAULTS, fails)

    assert any(each <= set(smallest) for each in guilty)
    for fewer in combinations(smallest, len(smallest) - 1) if smallest else ():
        assert not any(each <= set(fewer) for each in guilty)
    assert runs <= len(FAULTS) * (len(FAULTS) + 1) / 2 + len(FAULTS)


async def test_an_operation_that_fails_by_itself_needs_no_fault() -> None:
    """The smallest set may be empty: the defect was there all along."""

    async def fails(_: FaultSet) -> bool:
        return True

    assert await shrink(FAULTS, fails) == ()
