"""What a kind of fault is: the events that begin and end it in a part's lifecycle."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from baluarte.supervisor.faults.leases import Fault
from baluarte.supervisor.lifecycle import Event


class Aspect(StrEnum):
    """What of a part a fault takes hold of. Two faults in one aspect would undo each other's work."""

    PROCESS = "process"
    START = "start"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, registered by its name in `kinds/__init__.py`.

    `end` is None for what is over at once: such a kind has no lease. `says` tells the operator what
    happens, with the seconds of the lease.
    """

    name: str
    aspect: Aspect
    begin: Callable[[Fault], Event]
    end: Event | None
    says: Callable[[Fault], str]
    has_delay: bool = False

    @property
    def has_lease(self) -> bool:
        return self.end is not None
