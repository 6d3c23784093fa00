"""The port between the driver and whatever it drives: what is asked, and what can come back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from chaos.history.case import Kind
from chaos.history.events import Answer, Op, Request, Sample

Sleep = Callable[[float], Awaitable[None]]
"""Waits for some seconds. A test hands in one that does not."""


@dataclass(frozen=True, slots=True)
class Party:
    """Someone with an account. Credentials stay in the adapter, by user."""

    user: str
    account: str


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part. Without `staff` nothing is reversed, and check 11 stays unknown."""

    customers: tuple[Party, ...]
    staff: Party | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One money operation to carry out, under one idempotency key however often it is sent."""

    op: Op
    party: Party
    key: str
    request: Request
    receiver: Party | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to.

    Attributes:
        kind: ok, fail or info, as defined in `events`.
        answer: what the history keeps of it.
        retry: whether sending the same key again is worth while.
        retry_after: seconds that the platform asked to wait, if it did.
    """

    kind: Kind
    answer: Answer
    retry: bool = False
    retry_after: float | None = None


class Client(Protocol):
    """The platform as a customer reaches it.

    No method retries, and none raises for a failure of the platform: that is an outcome.
    """

    async def enrol(self, customers: int) -> Parties:
        """Return `customers` parties with an account each, new to the platform, and the staff."""
        ...

    async def perform(self, command: Command) -> Outcome:
        """Send one money operation once."""
        ...

    async def find(self, party: Party, key: str) -> Outcome:
        """Ask what became of a key. An ok without a transfer means "not seen yet"."""
        ...


class Sampler(Protocol):
    """The auditor's eye on all accounts while the run lasts."""

    async def sample(self) -> Sample:
        """Return the sums at one moment. Raise `SampleError` when there is no answer."""
        ...


class SampleError(Exception):
    """The auditor's database did not answer; during a kill that is expected."""
