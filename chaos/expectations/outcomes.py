"""fresh, stale, partial, queued, refused, unknown, failed: the share of one outcome."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import ALWAYS, CHANGED, Filtered, Judgement, too_few
from chaos.grammar.scalars import DURATION, SHARE, duration, share
from chaos.record import Outcome


@dataclass(frozen=True, kw_only=True)
class OutcomeShare(Filtered):
    """At least or at most such a share of answers has this outcome."""

    name: ClassVar[str]
    shorthand: ClassVar[str | None] = None
    judged: ClassVar[frozenset[When]] = ALWAYS
    outcome: ClassVar[Outcome]

    at_least: Annotated[float | None, SHARE, "The least share."] = None
    at_most: Annotated[float | None, SHARE, "The largest share."] = None
    within: Annotated[
        float | None, DURATION, "Counts only from so long after the stretch began."
    ] = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"{self.name} needs `at least` or `at most`")

    def sentence(self) -> str:
        limits = [
            f"at least {share(self.at_least)}" if self.at_least is not None else "",
            f"at most {share(self.at_most)}" if self.at_most is not None else "",
        ]
        said = " and ".join(limit for limit in limits if limit)
        late = f", from {duration(self.within)} on" if self.within else ""
        return f"{said} of the answers{self.where.words()} are {self.name}{late}"

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        samples = evidence.of(when, self.where, skip=self.within or 0.0)
        if (few := too_few(samples)) is not None:
            return few
        count = sum(sample.outcome is self.outcome for sample in samples)
        part = count / len(samples)
        low, high = self.at_least, self.at_most
        held = (low is None or part >= low) and (high is None or part <= high)
        return Judgement(held, f"{share(part)} ({count} of {len(samples)})")


def _of(outcome: Outcome) -> type[OutcomeShare]:
    # A stand-in cannot be wanted before there is anything to stand in for.
    judged = CHANGED if outcome in {Outcome.STALE, Outcome.PARTIAL} else ALWAYS
    body = {
        "name": outcome.value,
        "outcome": outcome,
        "judged": judged,
        "__doc__": f"At least or at most such a share of answers is {outcome.value}.",
        "__module__": __name__,
    }
    return type(f"{outcome.value.capitalize()}Share", (OutcomeShare,), body)


KINDS = tuple(_of(outcome) for outcome in Outcome)
