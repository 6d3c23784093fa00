"""recovered, settled, drained: how soon all is well again after the faults are gone."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import AFTER, Judgement
from chaos.grammar.scalars import DURATION, duration


@dataclass(frozen=True, kw_only=True)
class _Within:
    """Something happens soon after the revert."""

    name: ClassVar[str]
    shorthand: ClassVar[str | None] = "within"
    judged: ClassVar[frozenset[When]] = AFTER
    what: ClassVar[str]

    within: Annotated[float, DURATION, "Counted from when the last fault was taken back."]

    def sentence(self) -> str:
        return f"within {duration(self.within)} of the last fault's end {self.what}"

    def subject(self) -> object:
        return type(self)

    def moment(self, evidence: Evidence) -> float | None:
        """When it happened."""
        raise NotImplementedError

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        del when
        at, since = self.moment(evidence), evidence.reverted_at
        if since is None:
            return Judgement(None, "no fault was taken back")
        if at is None:
            return Judgement(False, "it did not happen before the run ended")
        late = max(0.0, at - since)
        return Judgement(late <= self.within, f"after {duration(late)}")


@dataclass(frozen=True, kw_only=True)
class Recovered(_Within):
    """Answers are as in the baseline again, and stay so."""

    name: ClassVar[str] = "recovered"
    what: ClassVar[str] = "answers are as in the baseline, and stay so"

    def moment(self, evidence: Evidence) -> float | None:
        return evidence.recovered_at


@dataclass(frozen=True, kw_only=True)
class Settled(_Within):
    """No transfer is pending, and nothing held."""

    name: ClassVar[str] = "settled"
    what: ClassVar[str] = "no transfer is pending and nothing held"

    def moment(self, evidence: Evidence) -> float | None:
        return evidence.settled_at


@dataclass(frozen=True, kw_only=True)
class Drained(_Within):
    """Nothing waits in outboxes and inboxes, and every effect owed is there."""

    name: ClassVar[str] = "drained"
    what: ClassVar[str] = "outboxes and inboxes are empty and every effect is there"

    def moment(self, evidence: Evidence) -> float | None:
        return evidence.drained_at


KINDS = (Recovered, Settled, Drained)
