"""What all faults of a scenario have, whoever applies them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from chaos.grammar.scalars import DURATION
from chaos.grammar.shapes import Choice
from chaos.roster import OwnerKind

PROCESSES = ("gateway", "users", "ledger", "transactions", "notifications")
"""Of the platform; a second replica of `users` is `users-2`."""

SERVERS = ("postgres", "valkey")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One line of a scenario's timeline."""

    owner: ClassVar[OwnerKind]

    at: Annotated[float, DURATION, "When it begins, counted from the start of the faults."] = 0.0
    for_: Annotated[float | None, DURATION, "How long it lasts; then the engine takes it back."] = (
        None
    )
    type: str
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Of the type, as its owner takes them."""
    line: int = 0

    @property
    def targets(self) -> tuple[str, ...]:
        """Where it is applied: one action each."""
        raise NotImplementedError

    def narrowing(self) -> Mapping[str, Any]:
        """What keeps its blast radius small, as its owner takes it."""
        return {}

    def words(self, target: str) -> str:
        """The fault at one target, for people."""
        said = ", ".join(f"{name} {shown(value)}" for name, value in self.attributes.items())
        narrow = ", ".join(f"{name} {shown(value)}" for name, value in self.narrowing().items())
        parts = [f"{target}: {self.type}", said and f"({said})", narrow and f"for {narrow}"]
        return " ".join(part for part in parts if part)


def shown(value: Any) -> str:
    """A value for people."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={shown(one)}" for name, one in value.items())
    return str(value)


def process_names(replicas: int = 8) -> Choice:
    """The processes that a scenario may name."""
    more = [f"{name}-{n}" for name in PROCESSES[1:] for n in range(2, replicas + 1)]
    return Choice("process", (*PROCESSES, *more))


PROCESS_NAMES = process_names()
PART_NAMES = Choice("part", (*PROCESS_NAMES.words, *SERVERS))
