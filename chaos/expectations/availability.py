"""availability: answers that keep a promise of the platform."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When, kept
from chaos.expectations.expectation import ALWAYS, Filtered, Judgement, too_few
from chaos.grammar.scalars import SHARE, share


@dataclass(frozen=True, kw_only=True)
class Availability(Filtered):
    """At least such a share of answers is fresh, stale and marked, partial and coded, or queued."""

    name: ClassVar[str] = "availability"
    shorthand: ClassVar[str | None] = "at least"
    judged: ClassVar[frozenset[When]] = ALWAYS

    at_least: Annotated[float, SHARE, "The least share of answers that keep a promise."]

    def sentence(self) -> str:
        return f"at least {share(self.at_least)} of the answers{self.where.words()} keep a promise"

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        samples = evidence.of(when, self.where)
        if (few := too_few(samples)) is not None:
            return few
        good = kept(samples)
        held = good >= self.at_least * len(samples)
        return Judgement(held, f"{share(good / len(samples))} ({good} of {len(samples)})")
