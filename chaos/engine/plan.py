"""What a run will do, decided before it begins: a pure function of scenario, seed and roster.

The plan is what `baluarte chaos plan` shows and what the engine carries out; planning touches nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from chaos.roster import OwnerKind, Roster
from chaos.scenarios.faults import Fault
from chaos.scenarios.faults.process import ProcessFault
from chaos.scenarios.scenario import Scenario

LEASE_SECONDS: Final = 10.0
"""Renewed by the engine's heartbeat: so long may a fault outlive a killed engine."""

AUDIT_SECONDS: Final = 6.0
"""What the end of the load and the audit usually take; for the estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One fault at one target.

    Attributes:
        id: unique in the run, and the same in every run of the seed.
        owner: kind of the owner.
        owner_name: of the owner in the roster.
        target: the process, edge or part.
        at: seconds after the faults' phase began.
        seconds: how long; None for what is over at once.
        narrowing: what keeps the blast radius small, as the owner takes it.
        duration: of the faulty state, for a fault point.
        lease: seconds, renewed while the engine lives; 0 for what is over at once.
    """

    id: str
    owner: OwnerKind
    owner_name: str
    target: str
    type: str
    attributes: Mapping[str, Any]
    narrowing: Mapping[str, Any]
    duration: float | None
    at: float
    seconds: float | None
    lease: float
    seed: int
    words: str
    line: int

    @property
    def end(self) -> float:
        """Seconds after the faults' phase began."""
        return self.at + (self.seconds or 0.0)


@dataclass(frozen=True, slots=True)
class Step:
    """An instant of the timeline."""

    at: float
    do: Literal["begin", "end"]
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a run will do."""

    scenario: Scenario
    seed: int
    actions: tuple[Action, ...]

    @property
    def timeline(self) -> tuple[Step, ...]:
        """Every begin and end, in order; what ends goes before what begins at the same instant."""
        steps = [Step(action.at, "begin", action) for action in self.actions]
        steps += [
            Step(action.end, "end", action) for action in self.actions if action.seconds is not None
        ]
        return tuple(sorted(steps, key=lambda step: (step.at, step.do == "begin", step.action.id)))

    @property
    def expected_seconds(self) -> float:
        """About how long the run takes when the platform recovers at once."""
        phases = self.scenario.phases
        before = phases.warm_up + phases.baseline
        return before + self.scenario.fault_seconds + 2.0 + phases.steady + AUDIT_SECONDS


class PlanError(ValueError):
    """The scenario does not fit the platform; each problem in a sentence."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def make_plan(
    scenario: Scenario, seed: int, roster: Roster | None = None, *, lease: float = LEASE_SECONDS
) -> Plan:
    """The plan of a run.

    Args:
        lease: of each fault.
        roster: of the platform; None plans for any.

    Raises:
        PlanError: the platform lacks what the scenario names.
    """
    actions = [
        _action(fault, target, f"{number}-{fault.type}-{target}", seed, lease)
        for number, fault in enumerate(scenario.faults, start=1)
        for target in fault.targets
    ]
    if roster is not None and (problems := _problems(scenario, actions, roster)):
        raise PlanError(problems)
    return Plan(scenario=scenario, seed=seed, actions=tuple(actions))


def derived(seed: int, what: str) -> int:
    """A seed of one's own for `what`, so that one more draw here changes nothing there."""
    digest = hashlib.sha256(f"{seed}:{what}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _action(fault: Fault, target: str, name: str, seed: int, lease: float) -> Action:
    return Action(
        id=name,
        owner=fault.owner,
        owner_name=target if fault.owner is OwnerKind.PROCESS else fault.owner.value,
        target=target,
        type=fault.type,
        attributes=fault.attributes,
        narrowing=fault.narrowing(),
        duration=fault.duration if isinstance(fault, ProcessFault) else None,
        at=fault.at,
        seconds=fault.for_,
        lease=0.0 if fault.for_ is None else lease,
        seed=derived(seed, name),
        words=fault.words(target),
        line=fault.line,
    )


def _problems(scenario: Scenario, actions: list[Action], roster: Roster) -> list[str]:
    owners = {owner.name: owner for owner in roster.owners}
    kinds = {owner.kind: owner for owner in roster.owners}
    edges = [edge.name for edge in roster.edges]
    problems = []
    for action in actions:
        if action.owner is OwnerKind.PROCESS and action.target not in owners:
            problems.append(
                f"line {action.line}: no process {action.target!r} takes faults here; "
                f"there are {', '.join(n for n, o in owners.items() if o.kind == 'process')}"
            )
        elif action.owner is not OwnerKind.PROCESS and action.owner not in kinds:
            problems.append(f"line {action.line}: nobody applies faults of an {action.owner} here")
        elif action.owner is OwnerKind.PROXIES and action.target not in edges:
            problems.append(
                f"line {action.line}: there is no edge {action.target!r} here; "
                f"there are {', '.join(edges)}"
            )
    for name, count in scenario.platform.replicas.items():
        members = [n for n in owners if n == name or n.rpartition("-")[0] == name]
        if len(members) < count:
            problems.append(f"it needs {count} replicas of {name}, and there are {len(members)}")
    if scenario.platform.bus not in {"any", roster.bus}:
        problems.append(f"it needs the bus on {scenario.platform.bus}, and it is on {roster.bus}")
    return problems
