"""What is said to a fault point: the one module of the chassis that chaos tools may import.

    POST   /chaos/faults           a `NewFault`            → 201, `Fault`
    GET    /chaos/faults           → `Faults`
    DELETE /chaos/faults           → `Faults`, those that were ended: the kill switch
    DELETE /chaos/faults/{id}      → `Fault`
    POST   /chaos/faults/{id}/lease  `Lease`: starts its lease anew → `Fault`
    GET    /chaos/calls?correlation=ID   → `Calls`, what this process was asked under that correlation id
           &since=T, seconds on the machine's monotonic clock: `dropped` then speaks of calls after T only

All need `Authorization: Bearer <chaos token>`; without the setting `BALUARTE_CHAOS_TOKEN` none exists.
A fault is `Fail(type, probability, duration)` with a target, a blast radius and a lease on this process'
monotonic clock, so that it ends when whoever asked for it is dead.
"""

import hashlib
import re
from typing import Annotated, Any, Final

import msgspec

MAX_LEASE_SECONDS: Final = 600.0
"""Longest lease: what is forgotten in the evening must not be found in the morning."""

MAX_NAME: Final = 48
"""Longest name of an experiment in labels and logs, characters."""

MAX_EXPERIMENTS: Final = 20
"""Names that become labels of their own in the life of an owner of faults; later ones are `other`."""

_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._-]+")

Seconds = Annotated[float, msgspec.Meta(gt=0, le=MAX_LEASE_SECONDS)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]


def in_cohort(user: str, percent: float) -> bool:
    """Whether the user of that id is in a cohort of `percent` of all users.

    By the id alone: the same in every process and run, and a larger cohort holds every smaller one.
    """
    digest = hashlib.sha256(user.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100 < percent


def plain(experiment: str) -> str:
    """An experiment's name, fit for a label and a log line; `none` for nobody's."""
    return _UNUSUAL.sub("-", experiment[:MAX_NAME]) or "none"


class Labels:
    """Names of experiments as every owner of faults labels `chaos_fault_active`: bounded in number."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def of(self, experiment: str) -> str:
        """The label: the plain name, or `other` once `MAX_EXPERIMENTS` had one."""
        name = plain(experiment)
        if name not in self._known:
            if len(self._known) >= MAX_EXPERIMENTS:
                return "other"
            self._known.add(name)
        return name


class _Message(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """Base: camelCase."""


class Target(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests or messages a fault is for, and how many of them: its blast radius.

    Every condition that is given must hold. `percent` is drawn last, among those that fit. A condition
    that means nothing to the type of fault (a topic to an HTTP effect) is refused.
    """

    route: str | None = None
    """Path of the operation; a `*` at its end stands for anything."""
    headers: dict[str, str] = {}
    """Headers that the request must have, with just these values; names in lower case."""
    caller: str | None = None
    """The calling service, as its credential says."""
    cohort: Percent | None = None
    """Share of users: one is always in it or never, by a hash of the user's id."""
    topic: str | None = None
    """Of a message; for bus effects."""
    percent: Percent = 100.0
    """Chance of each one that fits to enter the faulty state."""
    skip: int = 0
    """Spare so many that fit, at the start."""
    first: int | None = None
    """It is done to so many and then to no more: fail the first N and recover."""


class NewFault(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault that is wanted."""

    type: str
    """Name of an effect, as registered in `chassis/faults/effects/`."""
    attributes: dict[str, Any] = {}
    """Of the effect; unknown ones are refused."""
    target: Target = Target()
    duration: float | None = 0.0
    """Seconds that the faulty state lasts once entered (for the same target); 0 is this request only, None
    until the lease ends."""
    lease_seconds: Seconds
    experiment: str = ""
    """Who asks, for metrics and logs."""
    seed: int | None = None
    """Of the draws; drawn and told when it is not given."""


class Lease(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a fault may go on from now."""

    lease_seconds: Seconds


class Fault(_Message, frozen=True, kw_only=True):
    """A fault in place, or one that was just ended."""

    id: str
    type: str
    attributes: dict[str, Any] = {}
    target: Target = Target()
    duration: float | None = 0.0
    remaining_seconds: float = 0.0
    experiment: str = ""
    seed: int = 0
    met: int = 0
    """Requests or messages that it was done to."""


class Faults(_Message, frozen=True, kw_only=True):
    """Several of them."""

    faults: tuple[Fault, ...] = ()


class SeenCall(_Message, frozen=True, kw_only=True):
    """A request that this process got."""

    caller: str
    """The calling service; empty when it showed no credential."""
    route: str
    at: float
    """Seconds on the machine's monotonic clock, which its processes share."""
    seconds: float
    status: int
    """0 when the connection ended before an answer."""
    faults: tuple[str, ...] = ()
    """Ids of those that were done to it."""


class Calls(_Message, frozen=True, kw_only=True):
    """What was asked under one correlation id, in order."""

    calls: tuple[SeenCall, ...] = ()
    dropped: bool = False
    """Whether earlier ones may have left the bounded record."""
