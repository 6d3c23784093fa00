"""A scenario: what is believed of the platform, what is done to it, and what must then happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from chaos.expectations import EXPECTATION, Stated
from chaos.grammar.names import JOURNEYS
from chaos.grammar.scalars import COUNT, DURATION, NAME, RATE, SHARE, TEXT
from chaos.grammar.shapes import Choice, One, Table
from chaos.scenarios.contracts import CONTRACT, Contract, with_money
from chaos.scenarios.faults import FAULT, Fault
from chaos.scenarios.faults.fault import PROCESSES

MAX_SECONDS = 300.0
"""Of all phases together: a run that takes longer is a soak test, which needs other tools."""

RECOVERY_SECONDS = 20.0
"""How long the platform gets to be well again, unless the scenario says."""

AFTER_A_KILL_SECONDS = 5.0
"""How long the faults' phase goes on after a fault that is over at once."""

_REPLICAS: Final = Table(One(COUNT), Choice("service", PROCESSES[1:]))
_WEIGHTS: Final = Table(One(COUNT), Choice("journey", JOURNEYS))


@dataclass(frozen=True, kw_only=True)
class Load:
    """Who asks what, how often. An open model: users do not wait for the platform."""

    journeys: Annotated[Mapping[str, int], _WEIGHTS, "Which journeys, each with its weight."]
    rate: Annotated[float, RATE, "Journeys begun, all users together: `12/s`."] = 12.0
    users: Annotated[int, COUNT, "How many users there are."] = 12

    def __post_init__(self) -> None:
        if not any(self.journeys.values()):
            raise ValueError("needs at least one journey with a weight; `pay: 1`")


@dataclass(frozen=True, kw_only=True)
class Phases:
    """How long the stretches of the run are."""

    warm_up: Annotated[float, DURATION, "Load before anything counts: copies are taken."] = 3.0
    baseline: Annotated[float, DURATION, "Load that the rest is compared with."] = 5.0
    faults: Annotated[
        float | None, DURATION, "At least so long; as long as the last fault unless said."
    ] = None
    recovery: Annotated[float, DURATION, "At most so long until all is well again."] = (
        RECOVERY_SECONDS
    )
    steady: Annotated[float, DURATION, "Load after the recovery: it must last."] = 3.0


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What must happen, beyond the hypothesis or in its place."""

    during: Annotated[
        tuple[Stated, ...], EXPECTATION, "While faults are in place; goes before the hypothesis."
    ] = ()
    after: Annotated[
        tuple[Stated, ...], EXPECTATION, "Once they are gone; goes before the hypothesis."
    ] = ()


@dataclass(frozen=True, kw_only=True)
class Abort:
    """When to stop at once: the harm is larger than what there is to learn."""

    errors: Annotated[float, SHARE, "So many answers keep no promise …"]
    for_: Annotated[float, DURATION, "… for so long."] = 3.0


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What the platform must be like; `--up` starts just that."""

    replicas: Annotated[Mapping[str, int], _REPLICAS, "Processes of a service: `{users: 2}`."] = (
        field(default_factory=dict)
    )
    bus: Annotated[Literal["any", "postgres", "rabbitmq"], "What carries the messages."] = "any"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """All of it."""

    title: Annotated[str, TEXT, "In a few words."]
    story: Annotated[str, TEXT, "What happened, as one would tell it."]
    guards: Annotated[
        tuple[str, ...], NAME, "Mechanisms without which it goes red: `gateway.users.timeout`."
    ]
    hypothesis: Annotated[
        tuple[Stated, ...], EXPECTATION, "What holds in the baseline, during the faults and after."
    ]
    load: Annotated[Load, "Who asks what."]
    phases: Annotated[Phases, "How long the stretches of the run are."] = Phases()
    faults: Annotated[tuple[Fault, ...], FAULT, "What is done, and when."]
    expect: Annotated[Expect, "What must happen beyond the hypothesis."] = Expect()
    alerts: Annotated[
        tuple[Contract, ...], CONTRACT, "Of what people are told, how soon, and of what not."
    ] = ()
    abort: Annotated[Abort | None, "When to stop at once."] = None
    platform: Annotated[Platform, "What the platform must be like."] = field(
        default_factory=Platform
    )

    name: str = ""
    """Of its file."""
    source: str = ""
    """The file's text."""

    def __post_init__(self) -> None:
        if not self.faults:
            raise ValueError("a scenario without faults is a load test; name at least one")
        if self.seconds > MAX_SECONDS:
            raise ValueError(f"takes {self.seconds:g} s; {MAX_SECONDS:g} s at most")

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """About alerts: its own, and those about money that hold in every scenario."""
        return with_money(self.alerts)

    @property
    def wants_a_clean_record(self) -> bool:
        """Whether an outage before it would spoil it: error budgets remember for as long as their windows."""
        return any(
            one.covers("ErrorBudgetBurn", one.service or "") for one in self.alerts if one.silent
        )

    @property
    def fault_seconds(self) -> float:
        """Length of the faults' phase."""
        ends = (
            fault.at + (AFTER_A_KILL_SECONDS if fault.for_ is None else fault.for_)
            for fault in self.faults
        )
        return max(self.phases.faults or 0.0, *ends) if self.faults else 0.0

    @property
    def seconds(self) -> float:
        """Of all phases, at most."""
        phases = self.phases
        before = phases.warm_up + phases.baseline
        return before + self.fault_seconds + phases.recovery + phases.steady
