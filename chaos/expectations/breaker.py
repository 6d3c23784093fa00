"""breaker: which states a circuit breaker comes into, or keeps out of."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import CHANGED, Judgement
from chaos.grammar.scalars import DURATION, NAME, duration

_STATE = "circuit_breaker_state"


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """A breaker comes into a state, or stays closed."""

    name: ClassVar[str] = "breaker"
    shorthand: ClassVar[str | None] = None
    judged: ClassVar[frozenset[When]] = CHANGED

    process: Annotated[str, NAME, "Whose breaker."] = "gateway"
    service: Annotated[str, NAME, "Around which downstream."]
    state: Annotated[
        Literal["open", "half_open", "closed"] | None, "The state that it comes into."
    ] = None
    stays: Annotated[Literal["closed"] | None, "`stays: closed`: it never opens."] = None
    within: Annotated[float | None, DURATION, "So soon after the stretch began."] = None

    def __post_init__(self) -> None:
        if (self.state is None) == (self.stays is None):
            raise ValueError("breaker needs either `state` or `stays: closed`")

    def sentence(self) -> str:
        whose = f"the breaker {self.process} → {self.service}"
        if self.stays:
            return f"{whose} stays closed"
        soon = f" within {duration(self.within)}" if self.within else ""
        return f"{whose} comes to be {self.state}{soon}"

    def subject(self) -> object:
        return (type(self), self.process, self.service, self.state)

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        span = evidence.spans.get(when)
        known = evidence.metrics.matching(self.process, _STATE, {"service": self.service})
        if span is None or not known:
            return Judgement(None, f"{self.process} shows no breaker around {self.service}")
        start = evidence.reverted_at if when is When.AFTER else span.start
        begin = span.start if start is None else start
        seen = {
            state: self._first(evidence, state, begin, span.end)
            for state in ("open", "half_open", "closed")
        }
        if self.stays:
            at = seen["open"]
            told = "it never opened" if at is None else f"it opened after {duration(at - begin)}"
            return Judgement(at is None, told)
        at = seen[self.state or "open"]
        if at is None:
            others = ", ".join(state for state, moment in seen.items() if moment is not None)
            return Judgement(False, f"it was only {others or 'not seen'}")
        late = at - begin
        return Judgement(self.within is None or late <= self.within, f"after {duration(late)}")

    def _first(self, evidence: Evidence, state: str, start: float, end: float) -> float | None:
        moments = [
            change.at
            for change in evidence.transitions
            if (change.process, change.service, change.state) == (self.process, self.service, state)
            and start <= change.at <= end
        ]
        labels = {"service": self.service, "state": state}
        for series in evidence.metrics.matching(self.process, _STATE, labels):
            moments += [
                at for at, value in evidence.metrics.points(series) if value and start <= at <= end
            ]
        return min(moments, default=None)
