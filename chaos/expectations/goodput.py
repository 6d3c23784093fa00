"""goodput: kept answers a second, beside the baseline's."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When, Where, kept
from chaos.expectations.expectation import CHANGED, Filtered, Judgement
from chaos.grammar.scalars import SHARE, share


@dataclass(frozen=True, kw_only=True)
class Goodput(Filtered):
    """Answers a second that keep a promise, as a share of the baseline's."""

    name: ClassVar[str] = "goodput"
    shorthand: ClassVar[str | None] = "at least"
    judged: ClassVar[frozenset[When]] = CHANGED

    at_least: Annotated[float, SHARE, "Of the baseline's kept answers a second."]

    def sentence(self) -> str:
        return (
            f"kept answers a second{self.where.words()} are at least "
            f"{share(self.at_least)} of the baseline's"
        )

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        now, before = rate(evidence, when, self.where), rate(evidence, When.BASELINE, self.where)
        if now is None or not before:
            return Judgement(None, "there is no baseline to compare with")
        held = now >= self.at_least * before
        return Judgement(held, f"{share(now / before)} ({now:.3g}/s after {before:.3g}/s)")


def rate(evidence: Evidence, when: When, where: Where) -> float | None:
    """Kept answers a second in a stretch."""
    span = evidence.spans.get(when)
    if span is None or span.seconds <= 0:
        return None
    return kept(evidence.of(when, where)) / span.seconds
