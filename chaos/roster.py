"""The roster: where a platform's fault owners are, and what a run must know to reach it over the wire.

`baluarte up --chaos` writes it to `chaos.json` in its state directory, readable by its owner only, before
the first part starts; it is taken away at a clean stop. It outlives the supervisor on purpose: the kill
switch finds every owner in it, whoever is dead.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "chaos.json"
VERSION: Final = 1


class OwnerKind(StrEnum):
    """Who applies a fault and takes it back."""

    SUPERVISOR = "supervisor"
    PROXIES = "proxies"
    PROCESS = "process"


class Owner(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One owner of faults."""

    kind: OwnerKind
    name: str
    """`supervisor`, `proxies`, or the part's name: `gateway`, `users`, `users-2`."""
    url: str


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A connection of the platform that leads through a proxy of its own."""

    name: str
    """Of the proxy: `gateway-users`, `users-postgres`."""
    source: str
    target: str


class Monitoring(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The Prometheus and the Alertmanager that watch the platform."""

    prometheus: str
    """Base URL."""
    alertmanager: str
    """Base URL."""
    speed: float = 1.0
    """What the rules' durations are divided by; 1 is production's pace."""


class Staff(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Somebody who may reverse transfers."""

    email: str
    password: str


class Roster(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The address book of one platform."""

    version: int = VERSION
    gateway: str
    """Base URL."""
    supervisor_token: str
    chaos_token: str
    """Of the fault points in the processes."""
    owners: tuple[Owner, ...]
    edges: tuple[Edge, ...] = ()
    databases: dict[str, str] = {}
    """URLs for the auditor, who only reads: ledger, transactions, notifications. Empty when the server is
    not ours."""
    staff: Staff | None = None
    """Of the demonstration data."""
    bus: str = "postgres"
    production: bool = False
    monitoring: Monitoring | None = None
    """None: nobody watches, and alerts are not judged."""

    def owner(self, name: str) -> Owner:
        """Return the owner of that name. Raises LookupError."""
        for owner in self.owners:
            if owner.name == name:
                return owner
        raise LookupError(f"no fault owner is called {name!r}")


def read(state: Path) -> Roster:
    """The roster in a state directory.

    Raises:
        OSError: there is none: the platform does not run with --chaos.
        msgspec.MsgspecError: it cannot be understood.
    """
    return msgspec.json.decode((state / FILE).read_bytes(), type=Roster)
