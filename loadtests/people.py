"""Who uses the platform: a person with an address, a session and an account."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gevent.lock import BoundedSemaphore

from chaos.history.client import Party
from loadtests.wire import Wire


@dataclass(slots=True)
class Session:
    """Credentials, and the tokens of the last sign-in."""

    email: str
    password: str = field(repr=False)
    user: str = ""
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    renewing: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1), repr=False)
    """One at a time: two that refresh at once would end the session (docs/identity.md)."""

    def take(self, node: Mapping[str, Any]) -> None:
        """Keep what `register`, `login` or `refreshToken` answered; the refresh token first."""
        self.refresh = node["refreshToken"]
        self.access = node["accessToken"]
        self.user = node["user"]["id"]


@dataclass(slots=True)
class Person:
    """One virtual user.

    Attributes:
        number: from 0; also the process in the history.
        cohort: which group of users it is in.
        wire: its connections, from its own address.
        draw: its choices, seeded.
        party: user and account, once enrolled.
    """

    number: int
    cohort: str
    wire: Wire
    draw: random.Random
    session: Session
    party: Party | None = None

    @property
    def customer(self) -> Party:
        """The party of an enrolled person."""
        if self.party is None:
            raise RuntimeError("a person takes part only once enrolled")
        return self.party


def address(network: int, number: int) -> str:
    """The address that a person is seen at: 10.x.y.z, x and y of the run, z of the person.

    Runs differ in their addresses, so that one does not inherit the other's rate limits.
    """
    return f"10.{network >> 8 & 255}.{network & 255}.{number + 1}"
