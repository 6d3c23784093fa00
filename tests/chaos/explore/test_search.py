"""The search: what it tries, in which order, what it leaves out, and that nothing that matters is."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.explore.calls import CallKey, FaultSet, Injected, View
from chaos.explore.search import Search
from tests.chaos.explore.models import ROUTE, Plan, Step, outcome, run, views

KINDS = ("error", "abort", "truncate", "omission")
SERVICES = ("a", "b", "c", "d")


def explored(
    plan: Plan,
    *,
    depth: int = 2,
    combine: bool = False,
    prune: bool = True,
    kinds: tuple[str, ...] = KINDS,
) -> tuple[list[FaultSet], Search]:
    """The sets of faults that are tried on a platform, in order."""
    search = Search(kinds, outcome, depth=depth, combine=combine, prune=prune)
    tried = []
    while (faults := search.next()) is not None:
        tried.append(faults)
        search.saw(faults, run(plan, faults))
    return tried, search


def by_hand(plan: Plan, depth: int, *, combine: bool, faults: FaultSet = ()) -> Iterator[FaultSet]:
    """All sets up to `depth`, by plain recursion: the reference for the search."""
    yield faults
    if len(faults) == depth:
        return
    reached = run(plan, faults)
    before = run(plan, faults[:-1]) if faults else None
    faulted = {fault.call for fault in faults}
    for call in reached:
        if call in faulted or (before is not None and not combine and call in before):
            continue
        for kind in KINDS:
            yield from by_hand(plan, depth, combine=combine, faults=(*faults, Injected(call, kind)))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Platforms whose services call only those after them in the alphabet, so that runs end."""
    found: dict[str, list[Step]] = {}
    for position, service in enumerate(("gateway", *SERVICES)):
        below = SERVICES[position:]
        if not below:
            continue
        steps = st.builds(
            Step,
            service=st.sampled_from(below),
            attempts=st.integers(1, 2),
            instead=st.sampled_from(("", *below)),
            essential=st.booleans(),
        )
        size = (1, 2) if service == "gateway" else (0, 1)
        found[service] = draw(st.lists(steps, min_size=size[0], max_size=size[1]))
    return found


def call(caller: str, service: str, nth: int = 1) -> CallKey:
    return CallKey(caller, service, ROUTE, nth)


def test_the_first_run_has_no_fault_and_each_call_then_meets_each_kind() -> None:
    """Every call of the fault-free run has a run of its own with every kind of fault."""
    plan = {"gateway": [Step("a"), Step("b")], "a": [Step("c")]}

    tried, _ = explored(plan, depth=1)

    assert tried[0] == ()
    assert tried[1:] == [
        (Injected(key, kind),)
        for key in (call("a", "c"), call("gateway", "a"), call("gateway", "b"))
        for kind in KINDS
    ]


def test_a_retry_is_found_and_broken_too_depth_first() -> None:
    """A call that only the earlier fault led to meets faults together with that one, and right after it."""
    tried, _ = explored({"gateway": [Step("a", attempts=2)]}, kinds=("error",))

    first, second = call("gateway", "a"), call("gateway", "a", 2)
    assert tried == [
        (),
        (Injected(first, "error"),),
        (Injected(first, "error"), Injected(second, "error")),
    ]


def test_a_fallback_is_found_and_broken_too() -> None:
    """What is asked instead of a failing service is a place for faults as well."""
    tried, _ = explored({"gateway": [Step("a", instead="b")]}, kinds=("error",))

    assert (
        Injected(call("gateway", "a"), "error"),
        Injected(call("gateway", "b"), "error"),
    ) in tried


def test_calls_that_were_there_anyway_are_combined_only_on_request() -> None:
    """Two calls of the fault-free run are broken together with `combine`, and not without it."""
    plan = {"gateway": [Step("a", essential=False), Step("b", essential=False)]}

    def together(tried: list[FaultSet]) -> bool:
        both = {call("gateway", "a"), call("gateway", "b")}
        return any({fault.call for fault in faults} == both for faults in tried)

    assert not together(explored(plan)[0])
    assert together(explored(plan, combine=True)[0])


def test_a_second_fault_that_teaches_the_caller_nothing_new_is_left_out() -> None:
    """Kinds that mean the same to the caller count as one behind another fault, and are all tried alone."""
    kinds = ("abort", "truncate")  # the answer is lost, either way
    tried, search = explored({"gateway": [Step("a", attempts=2)]}, kinds=kinds)

    assert sum(len(faults) == 1 for faults in tried) == 2
    assert sum(len(faults) == 2 for faults in tried) == 1
    assert search.pruned == 3


def test_services_are_judged_on_their_own() -> None:
    """The fallback is not tried again where another service's failure looks the same to the gateway."""
    plan = {"gateway": [Step("a", instead="d")], "a": [Step("b"), Step("c")]}
    tried, search = explored(plan, kinds=("error",))

    behind = [faults for faults in tried if faults and faults[-1].call == call("gateway", "d")]
    assert len(behind) == 1
    assert search.pruned == 2


@given(plan=plans(), depth=st.integers(1, 3), combine=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_combination_is_found_without_pruning(plan: Plan, depth: int, combine: bool) -> None:
    """Without pruning the search tries just the sets that plain recursion lists, each once."""
    if depth == 3:
        depth = 2 if combine else 3
    tried, _ = explored(plan, depth=depth, combine=combine, prune=False)

    wanted = {frozenset(faults) for faults in by_hand(plan, depth, combine=combine)}
    assert {frozenset(faults) for faults in tried} == wanted
    assert len(tried) == len(wanted)


@given(plan=plans(), depth=st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_pruning_loses_nothing_that_a_service_can_see(plan: Plan, depth: int) -> None:
    """Whatever a service sees in any combination up to the depth, it also sees in a run that is not pruned.

    So a defect that depends on what one service sees, however rare, is found with pruning if at all.
    """

    def seen(sets: list[FaultSet]) -> set[View]:
        return set().union(*(views(plan, faults) for faults in sets))

    tried, _ = explored(plan, depth=depth)
    everything, _ = explored(plan, depth=depth, prune=False)

    assert seen(tried) == seen(everything)
    assert set(map(frozenset, tried)) <= set(map(frozenset, everything))


def test_pruning_is_worth_it() -> None:
    """Seven kinds of faults on a call that is tried three times need less than a quarter of the runs."""
    plan = {"gateway": [Step("a", attempts=3)]}
    kinds = ("error", "abort", "lose_answer", "truncate", "corrupt", "omission", "latency")

    tried, _ = explored(plan, depth=3, kinds=kinds)
    everything, _ = explored(plan, depth=3, kinds=kinds, prune=False)

    assert len(everything) == 1 + 7 + 49 + 343
    assert len(tried) < len(everything) / 4
