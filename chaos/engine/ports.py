"""What the engine needs of the world: owners of faults, a load, processes' metrics, the books."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chaos.engine.plan import Action
from chaos.record import InvariantResult, Moment, Phase, Sample, Transition


class OwnerError(Exception):
    """An owner refused, or did not answer; says what, of whom, and the owner's own words."""


class FaultOwner(Protocol):
    """Applies faults and takes them back. Every method may be called again without harm."""

    async def begin(self, action: Action, experiment: str) -> None:
        """Put the fault in place, under its lease. Raises OwnerError."""

    async def renew(self, action: Action, experiment: str) -> bool:
        """Start its lease anew; False when the fault is not there (any more). Raises OwnerError."""

    async def end(self, action: Action, experiment: str) -> bool:
        """Take it back, whether or not it was seen to begin; False when it was not there.

        Raises OwnerError.
        """

    async def met(self, action: Action, experiment: str) -> int | None:
        """How many met it so far; None when that is not counted here. Raises OwnerError."""


class Load(Protocol):
    """Users who ask, and tell what they were told."""

    async def start(self) -> None:
        """Returns when they begin to ask. Raises LoadError."""

    def heard(self) -> Sequence[Sample]:
        """The answers since the last call. Raises LoadError when the load has died."""

    async def stop(self) -> None:
        """Ask no more, learn what became of what is open, and end. Raises LoadError."""

    def kill(self) -> None:
        """End at once."""


class LoadError(Exception):
    """The load did not begin, or died; says why."""


class Pages(Protocol):
    """The processes' `/metrics`."""

    def processes(self) -> Sequence[str]:
        """Those that show any."""

    async def read(self, process: str) -> str | None:
        """One page; None when the process does not answer."""


@dataclass(frozen=True, slots=True)
class Unrest:
    """What is still moving."""

    unsettled: int
    """Transfers that are pending, and holds."""
    waiting: int
    """Rows in outboxes and inboxes, and effects that are owed."""


class BooksError(Exception):
    """The books could not be read; says why."""


class Books(Protocol):
    """The databases behind the money, which are only read."""

    async def unrest(self) -> Unrest | None:
        """What is still moving; None when it cannot be seen."""

    async def audit(self, history: Path) -> Sequence[InvariantResult]:
        """Every law, judged on the clients' history and the books at rest. Raises BooksError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to people about an alert: that it fires, or that it is over.

    Attributes:
        at: seconds of the run.
        channel: where it was told.
        flaws: what is wrong with the message itself.
    """

    at: float
    alert: str
    service: str
    firing: bool
    channel: str
    title: str = ""
    flaws: tuple[str, ...] = ()


class Alerts(Protocol):
    """The watch over the platform, and what it tells people.

    Attributes:
        speed: what durations of the rules are divided by.
        place: where messages are seen, for people.
    """

    speed: float
    place: str

    async def heard(self) -> Sequence[Notice]:
        """The messages since the last call."""

    async def standing(self) -> frozenset[tuple[str, str]] | None:
        """Alerts, by name and service, that fire or are about to; None when the watch does not answer."""

    def unfinished(self) -> frozenset[tuple[str, str]]:
        """Alerts of which people were told, and not yet that they are over."""

    async def rules(self) -> frozenset[str] | None:
        """Names of all alerts that the watch knows; None when it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """How a run stands, for whoever watches."""

    now: float
    phase: str
    phase_began: float
    phase_at_most: float | None
    rates: dict[str, float]
    """Answers a second by outcome, of the last seconds."""
    p95: float | None
    breakers: dict[tuple[str, str], str]
    faults: tuple[str, ...]


class Observer(Protocol):
    """Somebody who watches a run: a terminal, a test."""

    def phase(self, phase: Phase) -> None:
        """A phase begins; its `end` is when it ends at the latest."""

    def moment(self, moment: Moment) -> None:
        """Something happened."""

    def transition(self, transition: Transition) -> None:
        """A breaker changed."""

    def glance(self, glance: Glance) -> None:
        """A few times a second."""


class Nobody:
    """Watches nothing."""

    def phase(self, phase: Phase) -> None: ...

    def moment(self, moment: Moment) -> None: ...

    def transition(self, transition: Transition) -> None: ...

    def glance(self, glance: Glance) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the engine works with."""

    owners: dict[str, FaultOwner]
    load: Load
    pages: Pages
    books: Books | None = None
    alerts: Alerts | None = None
    history: Path = Path("history.jsonl")
    observer: Observer = field(default_factory=Nobody)
