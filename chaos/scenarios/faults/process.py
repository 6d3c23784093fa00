"""Faults at a process' own fault point: HTTP requests that it gets, messages that it handles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from chaos.grammar.scalars import COUNT, DURATION, SHARE, TEXT
from chaos.roster import OwnerKind
from chaos.scenarios.faults.effects import EFFECTS
from chaos.scenarios.faults.fault import PROCESS_NAMES, Fault
from chaos.scenarios.faults.variants import Owned


@dataclass(frozen=True, kw_only=True)
class ProcessFault(Fault):
    """An effect on requests or messages, with a target inside the process."""

    owner: ClassVar[OwnerKind] = OwnerKind.PROCESS

    process: Annotated[tuple[str, ...], PROCESS_NAMES, "The process, or several."]
    percent: Annotated[float, SHARE, "Chance of each request that fits to meet it."] = 1.0
    lasts: Annotated[
        float | None, DURATION, "How long the faulty state lasts once it is entered."
    ] = 0.0
    until: Annotated[
        Literal["the end"] | None, "`until: the end`: once entered, the state lasts until the end."
    ] = None
    route: Annotated[
        str | None, TEXT, "Only this operation's path; `*` at its end is anything."
    ] = None
    headers: Annotated[dict[str, str] | None, TEXT, "Only requests with these headers."] = None
    caller: Annotated[str | None, PROCESS_NAMES, "Only requests of this process."] = None
    cohort: Annotated[float | None, SHARE, "Only this share of users, always the same ones."] = None
    topic: Annotated[str | None, TEXT, "Only messages of this topic."] = None
    skip: Annotated[int, COUNT, "Spare so many at the start."] = 0
    first: Annotated[int | None, COUNT, "Only so many, and then no more."] = None

    def __post_init__(self) -> None:
        if self.for_ is None:
            raise ValueError("needs `for`: a fault in a process has an end")

    @property
    def targets(self) -> tuple[str, ...]:
        return self.process

    @property
    def duration(self) -> float | None:
        """As the fault point takes it: None is until the lease ends."""
        return None if self.until else self.lasts

    def narrowing(self) -> Mapping[str, Any]:
        given = {
            "percent": round(self.percent * 100, 6) if self.percent < 1 else None,
            "route": self.route,
            # Names of headers do not care for case; the fault point has them in lower case.
            "headers": self.headers and {name.lower(): it for name, it in self.headers.items()},
            "caller": self.caller,
            "cohort": None if self.cohort is None else round(self.cohort * 100, 6),
            "topic": self.topic,
            "skip": self.skip or None,
            "first": self.first,
        }
        return {name: value for name, value in given.items() if value is not None}


OWNED = Owned("process", ProcessFault, EFFECTS)
