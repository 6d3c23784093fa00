"""What a run knows so far: phases, answers, metrics, breakers, instants; and the record made of it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from chaos.engine import summary
from chaos.engine.cohorts import comparison
from chaos.engine.plan import Plan
from chaos.engine.ports import Glance, Observer, Unrest
from chaos.evidence import KEPT, Evidence, Metrics, Span, When
from chaos.expectations.metric import Metric
from chaos.record import (
    AppliedFault,
    Finding,
    InvariantResult,
    Moment,
    Phase,
    Run,
    Sample,
    Transition,
    Verdict,
)
from chaos.report.curves import curves_of
from chaos.scenarios.scenario import Scenario

MAX_LOG: Final = 500
"""Lines of a run's log: a run has some dozens; a storm of them is cut."""

MAX_TRANSITIONS: Final = 1_000

_STATE: Final = "circuit_breaker_state"
_STATES: Final = ("closed", "open", "half_open")


class State:
    """All that is known.

    Args:
        now: seconds of the run.
    """

    def __init__(self, scenario: Scenario, observer: Observer, now: Callable[[], float]) -> None:
        self._observer = observer
        self._now = now
        self.samples: list[Sample] = []
        self.phases: list[Phase] = []
        self.spans: dict[When, Span] = {}
        self.metrics = Metrics(KEPT | _asked_for(scenario))
        self.transitions: list[Transition] = []
        self.breakers: dict[tuple[str, str], str] = {}
        self.log: list[Moment] = []
        self.faults_at: float | None = None
        self.reverted_at: float | None = None
        self.recovered_at: float | None = None
        self.settled_at: float | None = None
        self.drained_at: float | None = None
        self.money: tuple[InvariantResult, ...] | None = None
        self.money_problem = "the books were not audited"
        self._current: Phase | None = None

    def say(self, text: str, *, level: str = "info") -> None:
        """A line of the run's log."""
        moment = Moment(at=self._now(), text=text, level=level)
        if len(self.log) < MAX_LOG:
            self.log.append(moment)
        self._observer.moment(moment)

    @contextlib.contextmanager
    def phase(self, name: str, at_most: float) -> Iterator[float]:
        """A phase of the run, however it ends; yields when it began."""
        began = self._now()
        self._current = Phase(name=name, start=began, end=began + at_most)
        self._observer.phase(self._current)
        try:
            yield began
        finally:
            self.phases.append(Phase(name=name, start=began, end=self._now()))

    def read(self, process: str, at: float, page: str) -> None:
        """Take in a page of metrics, and notice changed breakers."""
        self.metrics.add(process, at, page)
        for service in self.metrics.labels_of(process, _STATE, "service"):
            state = self._breaker(process, service)
            before = self.breakers.get((process, service))
            if state is None or state == before:
                continue
            self.breakers[process, service] = state
            if before is None and state == "closed":
                continue
            transition = Transition(at=at, process=process, service=service, state=state)
            if len(self.transitions) < MAX_TRANSITIONS:
                self.transitions.append(transition)
            self._observer.transition(transition)

    def _breaker(self, process: str, service: str) -> str | None:
        for state in _STATES:
            labels = {"service": service, "state": state}
            for series in self.metrics.matching(process, _STATE, labels):
                points = self.metrics.points(series)
                if points and points[-1].value:
                    return state
        return None

    def rest(self, found: Unrest) -> None:
        """Note the first moment at which nothing moved."""
        if self.settled_at is None and found.unsettled == 0:
            self.settled_at = self._now()
        if self.drained_at is None and found.unsettled == 0 and found.waiting == 0:
            self.drained_at = self._now()

    def glance(self, rates: dict[str, float], p95: float | None, faults: tuple[str, ...]) -> Glance:
        """How the run stands."""
        phase = self._current or Phase(name="start", start=0.0, end=0.0)
        length = phase.end - phase.start
        return Glance(
            now=self._now(),
            phase=phase.name,
            phase_began=phase.start,
            phase_at_most=length or None,
            rates=rates,
            p95=p95,
            breakers=dict(self.breakers),
            faults=faults,
        )

    def evidence(self, faults: Sequence[AppliedFault]) -> Evidence:
        """What may be judged by now."""
        return Evidence(
            samples=tuple(self.samples),
            spans=dict(self.spans),
            metrics=self.metrics,
            transitions=tuple(self.transitions),
            faults=summary.with_met(faults, self.metrics, self.spans.get(When.DURING)),
            money=self.money,
            money_problem=self.money_problem,
            reverted_at=self.reverted_at,
            recovered_at=self.recovered_at,
            settled_at=self.settled_at,
            drained_at=self.drained_at,
        )

    def unmet(self, plan: Plan, evidence: Evidence) -> set[str]:
        """Lines of the timeline that nothing met, in words; a line may have several targets."""
        if self.reverted_at is None:
            return set()
        met = {fault.id for fault in evidence.faults if fault.met is None or fault.met > 0}
        lines = {action.line for action in plan.actions if action.id in met}
        return {action.words for action in plan.actions if action.line not in lines}

    def record(
        self,
        base: Run,
        evidence: Evidence,
        findings: Sequence[Finding],
        verdict: Verdict,
        reason: str,
    ) -> Run:
        """The whole run."""
        return msgspec.structs.replace(
            base,
            verdict=verdict,
            reason=reason,
            phases=tuple(self.phases),
            faults=tuple(evidence.faults),
            findings=tuple(findings),
            breakers=tuple(self.transitions),
            invariants=self.money or (),
            clients_saw=summary.clients_saw(evidence, self.phases),
            curves=curves_of(evidence.samples),
            figures=summary.figures(evidence, self.faults_at),
            log=tuple(self.log),
            comparison=comparison(evidence, evidence.faults),
        )


def _asked_for(scenario: Scenario) -> frozenset[str]:
    """Names of metrics that the scenario's own expectations need."""
    stated = (*scenario.hypothesis, *scenario.expect.during, *scenario.expect.after)
    return frozenset(one.what.metric for one in stated if isinstance(one.what, Metric))
