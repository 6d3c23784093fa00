"""The inbox worker's bounds, and who is told what it does."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from chassis.database import IDLE_IN_TRANSACTION_TIMEOUT
from chassis.messages import Event
from chassis.pacing import Backoff

MIN_RETENTION_DAYS: Final = 7
"""A duplicate may arrive as late as a broker or an outbox is restored from a backup."""


@dataclass(frozen=True, slots=True)
class InboxStats:
    """What waits: `pending` messages (those behind a parked one too), `parked` ones, and seconds since
    the oldest of both was received; all as far as `InboxOptions.count_limit` reaches."""

    pending: int
    parked: int
    oldest_age: float


class InboxListener(Protocol):
    """Told what the worker does, for metrics. Must not block."""

    def handled(self, event: Event, seconds: float) -> None:
        """A message was handled and committed; `seconds` is what the handler's transaction took."""
        ...

    def failed(self, event: Event | None, code: str, seconds: float) -> None:
        """A message (None: one that cannot be decoded) was not handled and will be tried again."""
        ...

    def parked(self, event: Event | None, code: str, seconds: float) -> None:
        """A message and those of its key behind it now wait for staff."""
        ...

    def backlog(self, stats: InboxStats) -> None:
        """What waits, told at intervals."""
        ...


class SilentInbox:
    """A listener that does not listen."""

    def handled(self, event: Event, seconds: float) -> None: ...

    def failed(self, event: Event | None, code: str, seconds: float) -> None: ...

    def parked(self, event: Event | None, code: str, seconds: float) -> None: ...

    def backlog(self, stats: InboxStats) -> None: ...


@dataclass(frozen=True, slots=True)
class InboxOptions:
    """Bounds of an inbox worker.

    Attributes:
        concurrency: keys handled at once; each takes a connection, so keep it below the pool's size.
        streak: messages of one key handled in a row before others get their turn.
        poll: seconds between looks when nothing is known to be due (other replicas receive too).
        backoff: pauses of a failing key.
        max_failures: failures that count before a key is parked; about four minutes with the backoff.
        handler_timeout: seconds for a handler; below the time that a transaction may sit idle.
        retention_days: done messages are remembered this long, to recognise duplicates.
        prune_every, prune_batch: seconds between rounds of forgetting, and rows per transaction.
        backlog_every: seconds between two reports of the backlog.
        count_limit: the backlog is counted up to here, since counting costs time.
    """

    concurrency: int = 4
    streak: int = 50
    poll: float = 0.5
    backoff: Backoff = field(default_factory=lambda: Backoff(1.0, 60.0))
    max_failures: int = 10
    handler_timeout: float = 8.0
    retention_days: int = 30
    prune_every: float = 600.0
    prune_batch: int = 1000
    backlog_every: float = 5.0
    count_limit: int = 100_000

    def __post_init__(self) -> None:
        if self.retention_days < MIN_RETENTION_DAYS:
            raise ValueError(f"retention_days must be at least {MIN_RETENTION_DAYS}")
        if min(self.concurrency, self.streak, self.max_failures, self.prune_batch) < 1:
            raise ValueError("concurrency, streak, max_failures and prune_batch must be positive")
        if not 0 < self.handler_timeout < IDLE_IN_TRANSACTION_TIMEOUT:
            raise ValueError(f"handler_timeout must be below {IDLE_IN_TRANSACTION_TIMEOUT} s")
