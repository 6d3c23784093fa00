"""freshness: how old the copies are that stand in."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import ALWAYS, Filtered, Judgement, too_few
from chaos.grammar.scalars import DURATION, duration


@dataclass(frozen=True, kw_only=True)
class Freshness(Filtered):
    """No copy that is shown is older than this."""

    name: ClassVar[str] = "freshness"
    shorthand: ClassVar[str | None] = "at most"
    judged: ClassVar[frozenset[When]] = ALWAYS

    at_most: Annotated[float, DURATION, "The greatest age of a copy."]

    def sentence(self) -> str:
        return f"no copy shown{self.where.words()} is older than {duration(self.at_most)}"

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        samples = evidence.of(when, self.where)
        if (few := too_few(samples)) is not None:
            return few
        ages = [sample.stale_age for sample in samples if sample.stale_age is not None]
        if not ages:
            return Judgement(True, "no copy was shown")
        return Judgement(
            max(ages) <= self.at_most, f"{duration(max(ages))} (of {len(ages)} copies)"
        )
