"""Faults in a part as a whole, applied by the supervisor: death, standstill, outage, late starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from chaos.grammar.scalars import PLAIN_SECONDS
from chaos.roster import OwnerKind
from chaos.scenarios.faults.fault import PART_NAMES, Fault
from chaos.scenarios.faults.variants import Owned

KILL = "kill"


@dataclass(frozen=True, kw_only=True)
class PartFault(Fault):
    """What the supervisor does to a process of the platform, servers included."""

    owner: ClassVar[OwnerKind] = OwnerKind.SUPERVISOR

    part: Annotated[tuple[str, ...], PART_NAMES, "The part, or several."]

    def __post_init__(self) -> None:
        if self.type == KILL and self.for_ is not None:
            raise ValueError("a kill is over at once; leave out `for`, or use hold_down")
        if self.type != KILL and self.for_ is None:
            raise ValueError(f"needs `for`: {self.type} has an end")

    @property
    def targets(self) -> tuple[str, ...]:
        return self.part


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Without attributes."""


@dataclass(frozen=True, kw_only=True)
class SlowStart:
    """Starts are late."""

    delay: Annotated[float, PLAIN_SECONDS, "By how much."] = 5.0


TYPES: Mapping[str, type[Any]] = {
    KILL: Plain,
    "pause": Plain,
    "hold_down": Plain,
    "slow_start": SlowStart,
}

OWNED = Owned("part", PartFault, TYPES)
