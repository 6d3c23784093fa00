"""metric: anything else that a process shows on its `/metrics`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import ALWAYS, Judgement
from chaos.grammar.scalars import NAME, NUMBER_BOUND, TEXT, Bound, number_bound


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's increase in the stretch, or its largest or last value."""

    name: ClassVar[str] = "metric"
    shorthand: ClassVar[str | None] = None
    judged: ClassVar[frozenset[When]] = ALWAYS

    process: Annotated[str, NAME, "Whose `/metrics`."]
    metric: Annotated[str, NAME, "The metric's name."]
    labels: Annotated[Mapping[str, str], TEXT, "Labels that it has; series are summed."] = field(
        default_factory=dict
    )
    of: Annotated[
        Literal["increase", "largest", "last"], "Its increase, its largest or its last value."
    ] = "increase"
    at_least: Annotated[Bound | None, NUMBER_BOUND, "The least."] = None
    at_most: Annotated[Bound | None, NUMBER_BOUND, "The most."] = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError("metric needs `at least` or `at most`")

    def sentence(self) -> str:
        labels = ", ".join(f"{key}={value}" for key, value in self.labels.items())
        shown = f"{self.metric}{{{labels}}}" if labels else self.metric
        limits = [
            f"at least {number_bound(self.at_least)}" if self.at_least else "",
            f"at most {number_bound(self.at_most)}" if self.at_most else "",
        ]
        said = " and ".join(limit for limit in limits if limit)
        return f"the {self.of} of {shown} in {self.process} is {said}"

    def subject(self) -> object:
        return (type(self), self.process, self.metric, frozenset(self.labels.items()), self.of)

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        found, before = self._value(evidence, when), self._value(evidence, When.BASELINE)
        low = self.at_least.against(before) if self.at_least else 0.0
        high = self.at_most.against(before) if self.at_most else float("inf")
        if found is None or low is None or high is None:
            return Judgement(None, f"{self.process} did not show it")
        return Judgement(low <= found <= high, f"{found:.6g}")

    def _value(self, evidence: Evidence, when: When) -> float | None:
        span = evidence.spans.get(when)
        if span is None:
            return None
        arguments = (self.process, self.metric, self.labels, span.start, span.end)
        if self.of == "increase":
            return evidence.metrics.increase(*arguments)
        values = evidence.metrics.last(*arguments)
        if not values:
            return None
        return max(values) if self.of == "largest" else values[-1]
