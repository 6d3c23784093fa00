"""latency: how long people wait, counted from when they wanted to ask."""

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When, latency, quantile
from chaos.expectations.expectation import ALWAYS, Filtered, Judgement, too_few
from chaos.grammar.scalars import TIME_BOUND, Bound, duration, time_bound

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True, kw_only=True)
class Latency(Filtered):
    """Quantiles of latency, against a duration or the run's own baseline."""

    name: ClassVar[str] = "latency"
    shorthand: ClassVar[str | None] = None
    judged: ClassVar[frozenset[When]] = ALWAYS

    p50: Annotated[Bound | None, TIME_BOUND, "Half of the answers take at most this."] = None
    p95: Annotated[Bound | None, TIME_BOUND, "95 of 100 answers take at most this."] = None
    p99: Annotated[Bound | None, TIME_BOUND, "99 of 100 answers take at most this."] = None
    max: Annotated[Bound | None, TIME_BOUND, "No answer takes longer."] = None

    def __post_init__(self) -> None:
        if not self.bounds:
            raise ValueError("latency needs one of p50, p95, p99, max")

    @property
    def bounds(self) -> dict[str, Bound]:
        found = {
            one.name: getattr(self, one.name) for one in fields(self) if one.name in _QUANTILES
        }
        return {name: bound for name, bound in found.items() if bound is not None}

    def sentence(self) -> str:
        limits = " and ".join(
            f"{name} at most {time_bound(bound)}" for name, bound in self.bounds.items()
        )
        return f"latency{self.where.words()}: {limits}"

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        samples = evidence.of(when, self.where)
        if (few := too_few(samples)) is not None:
            return few
        times = [latency(sample) for sample in samples]
        before = [latency(sample) for sample in evidence.of(When.BASELINE, self.where)]
        held, told = True, []
        for name, bound in self.bounds.items():
            found = quantile(times, _QUANTILES[name])
            limit = bound.against(quantile(before, _QUANTILES[name]))
            if found is None or limit is None:
                return Judgement(None, "there is no baseline to compare with")
            held = held and found <= limit
            against = f" (limit {duration(limit)})" if bound.of_baseline else ""
            told.append(f"{name} {duration(found)}{against}")
        return Judgement(held, ", ".join(told))
