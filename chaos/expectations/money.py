"""money: the laws of the proof of money, judged on the whole run by client history and books."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import AFTER, Judgement
from chaos.history.verdict import Verdict

MUST_BE_SEEN: Final = {
    "conserved": frozenset({"conserved", "solvent", "replay"}),
    "proved": frozenset(
        {"conserved", "solvent", "two-legs", "replay", "durable", "sent", "settled"}
    ),
}
"""Laws that must be found valid; the others must at least not be violated. A load without retries,
say, gives `same-answer` nothing to look at."""


@dataclass(frozen=True, kw_only=True)
class Money:
    """No law about money is violated."""

    name: ClassVar[str] = "money"
    shorthand: ClassVar[str | None] = "is"
    judged: ClassVar[frozenset[When]] = AFTER

    is_: Annotated[
        Literal["conserved", "proved"],
        "`conserved`: no law is violated, and balances were judged; `proved`: transfers too.",
    ] = "conserved"

    def sentence(self) -> str:
        return f"money is {self.is_}: no law about it is violated"

    def subject(self) -> object:
        return type(self)

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        del when
        if evidence.money is None:
            return Judgement(None, evidence.money_problem)
        bad = [one for one in evidence.money if one.verdict == Verdict.VIOLATED]
        if bad:
            return Judgement(False, "; ".join(f"{one.name}: {one.detail}" for one in bad))
        valid = {one.name for one in evidence.money if one.verdict == Verdict.VALID}
        if unseen := sorted(MUST_BE_SEEN[self.is_] - valid):
            return Judgement(None, f"nothing was there to judge {', '.join(unseen)} by")
        return Judgement(True, f"{len(valid)} laws valid of {len(evidence.money)}, none violated")
