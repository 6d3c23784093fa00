"""retry amplification: what a failing downstream gets on top, because callers try again."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, Metrics, Span, When
from chaos.expectations.expectation import CHANGED, Judgement
from chaos.grammar.scalars import NAME, TIMES

_ATTEMPTS = "downstream_call_duration_seconds_count"
_MORE = ("downstream_retries_total", "downstream_hedges_total")


@dataclass(frozen=True, kw_only=True)
class RetryAmplification:
    """Attempts at a downstream for each call to it."""

    name: ClassVar[str] = "retry amplification"
    shorthand: ClassVar[str | None] = None
    judged: ClassVar[frozenset[When]] = CHANGED

    process: Annotated[str, NAME, "Whose calls."] = "gateway"
    service: Annotated[str, NAME, "To which downstream."]
    at_most: Annotated[float, TIMES, "Attempts for each call."]

    def sentence(self) -> str:
        return f"{self.process} asks {self.service} at most {self.at_most:g} times for each call"

    def subject(self) -> object:
        return (type(self), self.process, self.service)

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        span = evidence.spans.get(when)
        if span is None:
            return Judgement(None, "there was no such stretch")
        found = amplification(evidence.metrics, self.process, self.service, span)
        if found is None:
            return Judgement(None, f"{self.process} made no call to {self.service}")
        times, attempts, calls = found
        return Judgement(
            times <= self.at_most, f"{times:.3g} ({attempts:g} attempts for {calls:g} calls)"
        )


def amplification(
    metrics: Metrics, process: str, service: str, span: Span
) -> tuple[float, float, float] | None:
    """(Attempts for each call, attempts, calls) in a stretch; None when there was no call."""
    labels = {"service": service}
    attempts = metrics.increase(process, _ATTEMPTS, labels, span.start, span.end)
    more = [metrics.increase(process, name, labels, span.start, span.end) for name in _MORE]
    if not attempts:
        return None
    calls = attempts - sum(one or 0.0 for one in more)
    return (attempts / calls, attempts, calls) if calls > 0 else None
