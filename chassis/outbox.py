"""The transactional outbox: an event is written with the change that it tells of, then relayed.

`enqueue` runs in the transaction of the change, so that both are kept or neither. The relay publishes
in the order of ids and deletes what the bus has confirmed, publishing *before* the delete commits: a
crash in between publishes again (the inbox drops the duplicate), and never loses.

One relay at a time: every replica runs one, and an advisory lock, held for one batch, lets one work. It
is a lock of the transaction, so that a pooler between us and the server does not matter.

Order. Ids are drawn before commit, so a lower id may become visible after a higher one has been
relayed. Nothing is lost by that, since the relay keeps no position: it takes what is there. Per key the
order still holds if the writers of a key take turns, that is, each locks the aggregate's row *before*
it enqueues; all ours do.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import logs
from chassis.bus.port import BusUnavailable
from chassis.database import IDLE_IN_TRANSACTION_TIMEOUT, autocommit, transaction
from chassis.errors import CodedError
from chassis.messages import Event, decode, encode
from chassis.pacing import Backoff, Pace
from chassis.tracing import Kind, span
from resilience.clock import SYSTEM_CLOCK, Clock

COLUMNS: Final = ("topic", "key", "payload")
"""What a writer fills; id and time are the database's."""

INSERT: Final = """
INSERT INTO outbox (topic, key, payload)
SELECT topic, key, payload
FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS new (topic, key, payload, n)
ORDER BY n
"""
"""For asyncpg, with the three lists of `rows` as arguments. Usable inside a larger statement."""

ADVISORY_LOCK: Final = 0x0B0C5
"""Key of the relay's advisory lock, one per database."""

_ANY = text("SELECT EXISTS (SELECT FROM outbox)")
_LEAD = text("SELECT pg_try_advisory_xact_lock(:key)")
_TAKE = text(
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT :batch)"
    " RETURNING id, payload"
)
_BACKLOG = text(
    "SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT :limit) AS counted) AS pending,"
    " (SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox"
    " ORDER BY id LIMIT 1) AS oldest_age"
)

log = logs.get(__name__)


class Publisher(Protocol):
    """The part of a bus that a relay needs."""

    async def publish(self, events: Sequence[Event]) -> None: ...


class RelayListener(Protocol):
    """Told what the relay does, for metrics. Must not block."""

    def published(self, count: int) -> None:
        """`count` events were confirmed and deleted."""
        ...

    def failed(self, code: str) -> None:
        """A batch was not relayed; `code` tells why. It will be tried again."""
        ...

    def backlog(self, pending: int, oldest_age: float) -> None:
        """Events waiting (counted up to `RelayOptions.count_limit`), and seconds since the oldest."""
        ...


class Silent:
    """A listener that does not listen."""

    def published(self, count: int) -> None: ...

    def failed(self, code: str) -> None: ...

    def backlog(self, pending: int, oldest_age: float) -> None: ...


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """Bounds of a relay.

    Attributes:
        batch: most events per transaction; measured best around 500. Halved after each failure and
            doubled after each success, so that a bus too slow to confirm a full batch in time still
            makes progress.
        poll_min, poll_max: seconds between looks at an empty outbox, drawn at random so that
            replicas do not march in step. Polling instead of NOTIFY, which takes a lock that is global
            to the server when a money transaction commits.
        backoff: pauses after failures.
        publish_timeout: seconds for a batch to be confirmed; below the time that a transaction may sit
            idle, as the batch's transaction does meanwhile.
        backlog_every: seconds between two reports of the backlog.
        count_limit: the backlog is counted up to here, since counting costs time.
    """

    batch: int = 500
    poll_min: float = 0.02
    poll_max: float = 0.05
    backoff: Backoff = field(default_factory=lambda: Backoff(0.2, 5.0))
    publish_timeout: float = 5.0
    backlog_every: float = 5.0
    count_limit: int = 100_000

    def __post_init__(self) -> None:
        if self.batch < 1 or not 0 < self.poll_min <= self.poll_max:
            raise ValueError("a relay needs batch ≥ 1 and 0 < poll_min ≤ poll_max")
        if not 0 < self.publish_timeout < IDLE_IN_TRANSACTION_TIMEOUT:
            raise ValueError(f"publish_timeout must be below {IDLE_IN_TRANSACTION_TIMEOUT} s")


def rows(events: Sequence[Event]) -> tuple[list[str], list[str], list[bytes]]:
    """The arguments of `INSERT`: a list for each of `COLUMNS`.

    Raises:
        UndecodableMessage, EventTooLarge: an event that no consumer would take.
    """
    payloads = [encode(event) for event in events]
    return [event.topic for event in events], [event.key for event in events], payloads


async def enqueue(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Write events in the caller's transaction, in this order. Lock their aggregates' rows first.

    Raises:
        UndecodableMessage, EventTooLarge: an event that no consumer would take.
    """
    if events:
        await connection.exec_driver_sql(INSERT, rows(events))


class OutboxRelay:
    """Moves events from the outbox to the bus: `run` until `stop`."""

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Publisher,
        *,
        options: RelayOptions | None = None,
        listener: RelayListener | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._options = options or RelayOptions()
        self._listener = listener or Silent()
        self._batch = self._options.batch
        self._pace = Pace(clock=clock, rng=rng)
        self._report_pace = Pace(clock=clock, rng=rng)

    async def run(self) -> None:
        """Relay until stopped. Failures are waited out, and told to the listener."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._relay())
            tasks.create_task(self._report())

    def stop(self) -> None:
        """Make `run` return after the batch under way."""
        self._pace.stop()
        self._report_pace.stop()

    def wake(self) -> None:
        """Look at once: something was just enqueued here. Optional, since the relay polls."""
        self._pace.wake()

    async def relay_batch(self) -> int:
        """Publish and delete the oldest events; how many there were (0 too if another relay leads).

        Raises:
            BusUnavailable, DatabaseError: nothing was deleted, or it is not known.
        """
        async with autocommit(self._engine) as connection:
            if not await connection.scalar(_ANY):
                return 0
        async with transaction(self._engine) as uow:
            if not await uow.connection.scalar(_LEAD, {"key": ADVISORY_LOCK}):
                return 0
            taken = await uow.connection.execute(_TAKE, {"batch": self._batch})
            events = [decode(payload) for _, payload in sorted(tuple(row) for row in taken)]
            with span(
                "publish", Kind.PRODUCER, causes=[event.traceparent for event in events]
            ) as telling:
                telling.tell("messaging.batch.message_count", len(events))
                await self._publish(events)
            await uow.commit()
        self._listener.published(len(events))
        return len(events)

    async def _publish(self, events: Sequence[Event]) -> None:
        if not events:
            return
        try:
            async with asyncio.timeout(self._options.publish_timeout):
                await self._bus.publish(events)
        except TimeoutError:
            raise BusUnavailable("The message bus did not confirm in time.") from None

    async def _relay(self) -> None:
        failures = 0
        while not self._pace.stopping:
            try:
                moved = await self.relay_batch()
            except Exception as error:  # noqa: BLE001 - the loop must outlive whatever a batch meets
                failures += 1
                self._batch = max(1, self._batch // 2)
                self._tell(error, failures)
                await self._pace.pause(self._options.backoff.pause(failures, self._pace.random))
                continue
            failures = 0
            self._batch = min(self._options.batch, self._batch * 2)
            if moved:
                self._pace.found()
            else:
                await self._pace.poll(self._options.poll_min, self._options.poll_max)

    async def _report(self) -> None:
        while not self._report_pace.stopping:
            try:
                pending, oldest_age = await self.backlog()
                self._listener.backlog(pending, oldest_age)
            except CodedError as error:
                self._listener.failed(error.code)
            await self._report_pace.pause(self._options.backlog_every)

    async def backlog(self) -> tuple[int, float]:
        """Events waiting (counted up to a limit), and seconds since the oldest was written.

        Raises:
            DatabaseError: the database cannot be asked.
        """
        async with autocommit(self._engine) as connection:
            found = await connection.execute(_BACKLOG, {"limit": self._options.count_limit})
            row = found.one()
        return int(row.pending), max(0.0, float(row.oldest_age or 0.0))

    def _tell(self, error: Exception, failures: int) -> None:
        code = error.code if isinstance(error, CodedError) else type(error).__name__
        self._listener.failed(code)
        # The first of a row, then ever fewer: an outage is not told five times a second.
        if failures & (failures - 1) == 0:
            log.warning("outbox not relayed", code=code, attempt=failures)
