"""peak rate: how hard callers rush at a service, above all right after it is back."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import ALWAYS, Judgement
from chaos.grammar.scalars import NAME, NUMBER_BOUND, Bound, number_bound

_ATTEMPTS: Final = "downstream_call_duration_seconds_count"
PER: Final = 0.1
"""Seconds of the rate's unit: what a herd does in them, no queue can smooth."""

RUSH_SECONDS: Final = 5.0
"""After the revert: callers that waited come in this time, or are no herd."""


@dataclass(frozen=True, kw_only=True)
class PeakRate:
    """The most attempts at a service in 100 ms; after the faults: in the first seconds."""

    name: ClassVar[str] = "peak rate"
    shorthand: ClassVar[str | None] = None
    judged: ClassVar[frozenset[When]] = ALWAYS

    process: Annotated[str, NAME, "Whose attempts."] = "gateway"
    service: Annotated[str, NAME, "At which downstream."]
    at_most: Annotated[Bound, NUMBER_BOUND, "In 100 ms."]

    def sentence(self) -> str:
        return (
            f"{self.process} asks {self.service} at most {number_bound(self.at_most)} times "
            "in 100 ms"
        )

    def subject(self) -> object:
        return (type(self), self.process, self.service)

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        found = self._peak(evidence, when)
        limit = self.at_most.against(self._peak(evidence, When.BASELINE))
        if found is None or limit is None:
            return Judgement(None, f"{self.process} made no call to {self.service}")
        return Judgement(found <= limit, f"{found:.3g} in 100 ms (limit {limit:.3g})")

    def _peak(self, evidence: Evidence, when: When) -> float | None:
        span = evidence.spans.get(when)
        if span is None:
            return None
        start, end = span.start, span.end
        if when is When.AFTER and evidence.reverted_at is not None:
            start, end = evidence.reverted_at, evidence.reverted_at + RUSH_SECONDS
        steps: dict[tuple[float, float], float] = defaultdict(float)
        metrics = evidence.metrics
        for series in metrics.matching(self.process, _ATTEMPTS, {"service": self.service}):
            for begin, until, grown in metrics.steps(series, start, end):
                steps[begin, until] += grown
        # Readings may be further apart than the unit: the rate between them is their mean.
        return max(
            (grown * PER / max(PER, until - begin) for (begin, until), grown in steps.items()),
            default=None,
        )
