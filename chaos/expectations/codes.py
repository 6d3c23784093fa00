"""codes: which error codes clients may see."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar

from chaos.evidence import Evidence, When
from chaos.expectations.expectation import ALWAYS, Filtered, Judgement
from chaos.grammar.scalars import NAME


@dataclass(frozen=True, kw_only=True)
class Codes(Filtered):
    """Clients see only these codes, in errors and beside nulls."""

    name: ClassVar[str] = "codes"
    shorthand: ClassVar[str | None] = "only"
    judged: ClassVar[frozenset[When]] = ALWAYS

    only: Annotated[tuple[str, ...], NAME, "The codes that may be seen."]

    def sentence(self) -> str:
        return f"the only error codes{self.where.words()} are {', '.join(self.only)}"

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        samples = evidence.of(when, self.where)
        if not samples:
            return Judgement(None, "nothing was answered")
        seen = Counter(code for sample in samples for code in sample.codes)
        others = {code: count for code, count in seen.items() if code not in self.only}
        told = ", ".join(f"{code} ×{count}" for code, count in (others or seen).items())
        return Judgement(not others, told or "no error was seen")
