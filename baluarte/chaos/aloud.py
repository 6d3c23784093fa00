"""A scenario and its plan in words, for the terminal."""

from collections.abc import Iterator

from chaos.engine.judging import wanted
from chaos.engine.plan import Action, Plan
from chaos.evidence import When
from chaos.scenarios.scenario import Scenario

_WHEN = {When.BASELINE: "before", When.DURING: "during", When.AFTER: "after"}


def scenario(one: Scenario) -> Iterator[str]:
    """Title, story, load, timeline and what must hold when: as one would read it aloud."""
    yield one.title
    yield f"  {one.story}"
    yield ""
    yield f"guards     {', '.join(one.guards)}"
    journeys = ", ".join(f"{name} ×{weight}" for name, weight in one.load.journeys.items())
    yield f"load       {one.load.rate:g} journeys a second by {one.load.users} users: {journeys}"
    if one.platform.replicas or one.platform.bus != "any":
        replicas = ", ".join(f"{count} {name}" for name, count in one.platform.replicas.items())
        yield f"platform   {replicas or 'one of each'}; bus: {one.platform.bus}"
    yield f"takes      {one.seconds:g} s at most"
    yield ""
    for fault in one.faults:
        for target in fault.targets:
            length = "once" if fault.for_ is None else f"for {fault.for_:g} s"
            yield f"at {fault.at:g} s {length}: {fault.words(target)}"
    for when in When:
        yield ""
        yield f"{_WHEN[when]}:"
        for stretch, stated in wanted(one):
            if stretch is when:
                yield f"  - {stated.what.sentence()}"
    yield ""
    yield "alerts, at production's pace:"
    for contract in one.contracts:
        yield f"  - {contract.sentence()}"
    if one.abort is not None:
        yield ""
        yield f"stop at once when {one.abort.errors:.0%} keep no promise for {one.abort.for_:g} s"


def plan(one: Plan) -> Iterator[str]:
    """What a run will do, to whom, on which lease; nothing of it is done."""
    phases = one.scenario.phases
    yield f"{one.scenario.title}: about {one.expected_seconds:.0f} s, seed {one.seed}"
    yield ""
    yield f"{0:6.1f} s  warm-up, then baseline from {phases.warm_up:g} s"
    faults_at = phases.warm_up + phases.baseline
    yield f"{faults_at:6.1f} s  hypothesis; if it does not hold, nothing below happens"
    for step in one.timeline:
        yield f"{faults_at + step.at:6.1f} s  {step.do:<5}  {step.action.words}"
    end = faults_at + one.scenario.fault_seconds
    yield f"{end:6.1f} s  all is taken back; recovery, {phases.recovery:g} s at most"
    yield ""
    yield "where the platform is watched, of alerts, at production's pace:"
    for contract in one.scenario.contracts:
        yield f"  {contract.sentence()}"
    yield ""
    yield "leases, and who takes a fault back when everybody else is dead:"
    for action in one.actions:
        yield f"  {action.words}: {_lease(action)}"


def _lease(action: Action) -> str:
    if not action.lease:
        return f"over at once ({action.owner_name})"
    return f"{action.owner_name}, {action.lease:g} s, renewed every second"
