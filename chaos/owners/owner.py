"""What all owners of faults have in common: they apply a fault under a lease, and take it back."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from chaos.roster import OwnerKind


class Code(StrEnum):
    """Why an owner did not do what it was asked."""

    GONE = "OWNER_GONE"
    """Nobody listens there. It holds no fault: faults live in their owner's memory."""
    SILENT = "OWNER_SILENT"
    """It may hold faults, and does not answer in time or not in words that can be understood."""
    REFUSED = "FAULT_REFUSED"
    """It answered, and said no."""


class OwnerError(Exception):
    """Nothing is known to have been done.

    Attributes:
        owner: its name in the roster.
        said: what happened, in the owner's own words where it had some.
        refusal: the owner's own code, such as FAULT_CONFLICT; empty where it has none.
    """

    def __init__(self, code: Code, owner: str, said: str, refusal: str = "") -> None:
        super().__init__(f"{code}: {owner}: {said}")
        self.code = code
        self.owner = owner
        self.said = said
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A fault in place, or one that was just ended.

    Attributes:
        owner: its owner's name in the roster.
        id: by which the owner knows it.
        target: the part, the edge or the process.
        remaining: seconds until it ends by itself; None for never.
        met: connections, requests or messages it was done to so far, or the part; None when that is not
            counted.
        about: what else the owner says of it: attributes, what narrows it down.
    """

    owner: str
    id: str
    target: str
    type: str
    remaining: float | None
    met: int | None
    about: dict[str, Any]

    @property
    def words(self) -> str:
        """For people."""
        more = "".join(f", {name} {_short(value)}" for name, value in self.about.items())
        met = "" if self.met is None else f", met {self.met} times"
        until = "" if self.remaining is None else f", for another {self.remaining:.0f} s at most"
        return f"{self.target}: {self.type}{more} (fault {self.id}){met}{until}"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


Order = TypeVar("Order", contravariant=True)
"""What an owner of a kind can be asked for."""


class FaultOwner(Protocol[Order]):
    """One owner of faults.

    Every method raises `OwnerError`, within the seconds that its line has for an answer.
    """

    @property
    def name(self) -> str:
        """Its name in the roster."""

    @property
    def kind(self) -> OwnerKind:
        """What it does faults to."""

    async def inject(self, order: Order) -> Placed:
        """Put a fault in place, under the order's lease."""

    async def look(self, fault: str) -> Placed | None:
        """How the fault of that id stands; None when it is over."""

    async def renew(self, fault: str, seconds: float) -> Placed | None:
        """Start its lease anew; None when it is over."""

    async def revert(self, fault: str) -> Placed | None:
        """Take it back, and say how it stood; None when it was over."""

    async def list(self) -> tuple[Placed, ...]:
        """All that are in place."""

    async def revert_all(self) -> tuple[Placed, ...]:
        """The kill switch: take all back, and say which there were."""
