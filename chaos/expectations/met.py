"""met: the proof that requests really ran into a fault."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import DURING, Judgement
from chaos.grammar.scalars import COUNT, TEXT


@dataclass(frozen=True, kw_only=True)
class Met:
    """So many requests, connections, messages or deaths met the faults."""

    name: ClassVar[str] = "met"
    shorthand: ClassVar[str | None] = "at least"
    judged: ClassVar[frozenset[When]] = DURING

    at_least: Annotated[int, COUNT, "How many."]
    target: Annotated[str | None, TEXT, "Only faults of this process, edge or part."] = None

    def sentence(self) -> str:
        where = f" in {self.target}" if self.target else ""
        return f"at least {self.at_least} requests met the faults{where}"

    def subject(self) -> object:
        return (type(self), self.target)

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        del when
        counts = [one.met for one in evidence.faults if self.target in {None, one.target}]
        known = [count for count in counts if count is not None]
        if not known:
            return Judgement(None, "nobody counted what met them")
        return Judgement(sum(known) >= self.at_least, f"{sum(known)}")
