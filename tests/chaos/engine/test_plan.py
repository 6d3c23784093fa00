"""Plans: properties of the timeline, leases, and what does not fit a platform."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.engine.plan import LEASE_SECONDS, PlanError, make_plan
from chaos.roster import Edge, Owner, OwnerKind, Roster
from chaos.scenarios import find, names, parse
from tests.chaos.engine.fakes import SCENARIO

FAULT = "  - {at: 0 s, for: 5 s, process: users, type: error, status: 503}\n"

ROSTER = Roster(
    gateway="http://127.0.0.1:1",
    supervisor_token="",
    chaos_token="",
    owners=(
        Owner(kind=OwnerKind.SUPERVISOR, name="supervisor", url=""),
        Owner(kind=OwnerKind.PROXIES, name="proxies", url=""),
        Owner(kind=OwnerKind.PROCESS, name="users", url=""),
    ),
    edges=(Edge(name="users-postgres", source="users", target="postgres"),),
)

lines = st.one_of(
    st.builds(
        "  - {{at: {} ms, for: {} ms, process: users, type: error}}\n".format,
        st.integers(0, 9_000),
        st.integers(1, 9_000),
    ),
    st.builds(
        "  - {{at: {} ms, for: {} ms, edge: users-postgres, type: down}}\n".format,
        st.integers(0, 9_000),
        st.integers(1, 9_000),
    ),
    st.builds(
        "  - {{at: {} ms, part: [users, ledger], type: kill}}\n".format, st.integers(0, 9_000)
    ),
    st.builds(
        "  - {{at: {} ms, for: {} ms, part: users, type: pause}}\n".format,
        st.integers(0, 9_000),
        st.integers(1, 9_000),
    ),
)


@given(faults=st.lists(lines, min_size=1, max_size=8), seed=st.integers(0, 2**31))
def test_a_timeline_begins_and_ends_everything(faults: list[str], seed: int) -> None:
    """In order; each end after its begin, within the phase; all but kills under short leases."""
    scenario = parse(SCENARIO.replace(FAULT, "".join(faults)), "x.yaml")
    plan = make_plan(scenario, seed)
    steps = plan.timeline

    assert [step.at for step in steps] == sorted(step.at for step in steps)
    for action in plan.actions:
        mine = [step for step in steps if step.action is action]
        begins_only = action.type == "kill"
        assert [step.do for step in mine] == (["begin"] if begins_only else ["begin", "end"])
        assert mine[-1].at <= scenario.fault_seconds
        assert action.lease == (0 if begins_only else LEASE_SECONDS)
    assert len({action.id for action in plan.actions}) == len(plan.actions)


@given(seed=st.integers(0, 2**31))
def test_a_plan_is_a_function_of_scenario_and_seed(seed: int) -> None:
    """The same twice; each action draws by a seed of its own."""
    scenario = parse(SCENARIO.replace("process: users", "process: [users, ledger]"), "x.yaml")
    plan = make_plan(scenario, seed)

    assert plan == make_plan(scenario, seed)
    assert len({action.seed for action in plan.actions}) == 2


def test_what_a_platform_lacks_is_told_at_once() -> None:
    """Unknown processes and edges, missing replicas, another bus: with lines and what there is."""
    faults = (
        "  - {for: 1 s, process: ledger, type: abort}\n"
        "  - {for: 1 s, edge: users-valkey, type: down}\n"
    )
    text = SCENARIO.replace(FAULT, faults) + "platform: {replicas: {users: 2}, bus: rabbitmq}\n"
    with pytest.raises(PlanError) as refused:
        make_plan(parse(text, "x.yaml"), 1, ROSTER)

    told = refused.value.problems
    assert len(told) == 4
    assert "no process 'ledger' takes faults here; there are users" in told[0]
    assert "no edge 'users-valkey' here; there are users-postgres" in told[1]
    assert "2 replicas of users, and there are 1" in told[2]
    assert "bus on rabbitmq, and it is on postgres" in told[3]


@pytest.mark.parametrize("name", names())
def test_every_scenario_is_short(name: str) -> None:
    """The whole set is run with each mechanism off: a run takes at most 35 s when all goes well."""
    assert make_plan(find(name), 1).expected_seconds <= 35
