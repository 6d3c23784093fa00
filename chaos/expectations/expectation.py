"""What an expectation is: options, a sentence, and a pure judgement of the evidence."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Protocol

import yaml

from chaos.evidence import FEW, Evidence, When, Where
from chaos.grammar.names import JOURNEYS, STEPS
from chaos.grammar.problems import unknown
from chaos.grammar.scalars import TEXT
from chaos.grammar.shapes import Choice, Record, Source, entries
from chaos.record import Sample

ALWAYS = frozenset(When)
CHANGED = frozenset({When.DURING, When.AFTER})
DURING = frozenset({When.DURING})
AFTER = frozenset({When.AFTER})

_JOURNEY: Final = Choice("journey", JOURNEYS)
_STEP: Final = Choice("step", STEPS)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether it held; None: it could not be judged, and `measured` says why."""

    held: bool | None
    measured: str


class Expectation(Protocol):
    """One kind is one frozen dataclass in a file of its own, registered by `name`.

    Attributes:
        name: the key in a scenario.
        shorthand: the option whose value may stand alone, if any.
        judged: the stretches in which it can be judged; in a hypothesis, those in which it must hold.
    """

    name: ClassVar[str]
    shorthand: ClassVar[str | None]
    judged: ClassVar[frozenset[When]]

    def sentence(self) -> str:
        """What is wanted, for people."""

    def judge(self, evidence: Evidence, when: When) -> Judgement:
        """Whether it held in that stretch."""

    def subject(self) -> object:
        """What it is about, so that one of `expect` takes the place of the hypothesis' own."""


@dataclass(frozen=True, slots=True)
class Stated:
    """An expectation, and the line of the file that states it."""

    what: Expectation
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """Options of an expectation about some of the answers."""

    step: Annotated[str | None, _STEP, "Only answers to this GraphQL root field."] = None
    journey: Annotated[str | None, _JOURNEY, "Only answers in this journey."] = None
    cohort: Annotated[str | None, TEXT, "Only answers to this cohort of users."] = None

    @property
    def where(self) -> Where:
        return Where(self.step, self.journey, self.cohort)

    def subject(self) -> object:
        return (type(self), self.where)


def too_few(samples: list[Sample]) -> Judgement | None:
    """That there is too little to judge by, if so."""
    if len(samples) >= FEW:
        return None
    return Judgement(None, f"only {len(samples)} such answers; {FEW} are the least to judge by")


@dataclass(frozen=True, slots=True)
class ExpectationShape:
    """`- name: {options}` of any registered kind."""

    kinds: dict[str, type[Any]]

    def read(self, source: Source, node: yaml.Node) -> Stated:
        pairs = entries(source, node)
        if len(pairs) != 1:
            raise source.wrong(node, "an expectation is one `name: options`; begin each with `-`")
        ((name, (key, value)),) = pairs.items()
        if name not in self.kinds:
            raise source.wrong(key, unknown("expectation", name, self.kinds))
        kind = self.kinds[name]
        return Stated(Record(kind, kind.shorthand).read(source, value), key.start_mark.line + 1)

    def schema(self) -> dict[str, Any]:
        return {
            "title": "expectation",
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {
                name: Record(kind, kind.shorthand).schema()
                | {"description": (kind.__doc__ or "").splitlines()[0]}
                for name, kind in self.kinds.items()
            },
        }
