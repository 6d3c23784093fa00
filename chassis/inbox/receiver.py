"""From the bus into the inbox: commit first, then acknowledge."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import logs
from chassis.bus.port import Bus, Consumer
from chassis.database import transaction
from chassis.errors import CodedError
from chassis.messages import Event, encode
from chassis.pacing import Backoff, Pace
from resilience.clock import SYSTEM_CLOCK, Clock

BACKOFF: Final = Backoff(0.1, 5.0)
"""Pauses while the inbox cannot be written; the broker keeps what we do not take."""

_ACCEPT: Final = """
INSERT INTO inbox (consumer, message_id, topic, key, payload)
SELECT $1, message_id, topic, key, payload
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[])
    WITH ORDINALITY AS new (message_id, topic, key, payload, n)
ORDER BY n
ON CONFLICT (consumer, message_id) DO NOTHING
"""

Accept = Callable[[AsyncConnection, str, Sequence[Event]], Awaitable[int]]

log = logs.get(__name__)


async def accept(connection: AsyncConnection, consumer: str, events: Sequence[Event]) -> int:
    """Write events into the inbox in this order; how many were new. Known ids are passed over."""
    columns: tuple[list[UUID], list[str], list[str], list[bytes]] = (
        [event.id for event in events],
        [event.topic for event in events],
        [event.key for event in events],
        [encode(event) for event in events],
    )
    written = await connection.exec_driver_sql(_ACCEPT, (consumer, *columns))
    return written.rowcount


class InboxReceiver:
    """Takes a group's messages over from the bus: `run` until `stop`.

    Args:
        engine: the service's database.
        bus: where to consume.
        topic, group: the queue; `group` is also the inbox's consumer name.
        on_accepted: called after messages were committed, to wake the worker.
        accepting: how events are written into the inbox, `accept` unless a test wants otherwise.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        topic: str,
        group: str,
        *,
        on_accepted: Callable[[], None] = lambda: None,
        accepting: Accept = accept,
        backoff: Backoff = BACKOFF,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._topic = topic
        self._group = group
        self._on_accepted = on_accepted
        self._accepting = accepting
        self._backoff = backoff
        self._pace = Pace(clock=clock, rng=rng)
        self._stopped = False
        self._consuming: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Take messages over until stopped. Outages of the bus and of the database are waited out."""
        self._consuming = asyncio.ensure_future(self._consume())
        try:
            await self._consuming
        except asyncio.CancelledError:
            if not self._stopped:
                raise

    def stop(self) -> None:
        """Make `run` return; what is not acknowledged is delivered to the next receiver."""
        self._stopped = True
        self._pace.stop()
        if self._consuming is not None:
            self._consuming.cancel()

    async def take(self, consumer: Consumer) -> int:
        """Take what is there over; how many messages were new. Waits for the first.

        Raises:
            DatabaseError: not taken; the broker still has them.
            BusUnavailable: taken, but not acknowledged: they come again, and are passed over.
        """
        deliveries = await consumer.receive()
        async with transaction(self._engine) as uow:
            events = [delivery.event for delivery in deliveries]
            new = await self._accepting(uow.connection, self._group, events)
            await uow.commit()
        if new:
            self._on_accepted()
        await consumer.acknowledge(deliveries)
        return new

    async def _consume(self) -> None:
        async with self._bus.consume(self._topic, self._group) as consumer:
            failures = 0
            while not self._pace.stopping:
                try:
                    await self.take(consumer)
                except Exception as error:  # noqa: BLE001 - the loop must outlive every outage
                    failures += 1
                    self._tell(error, failures)
                    await self._pace.pause(self._backoff.pause(failures, self._pace.random))
                else:
                    failures = 0

    def _tell(self, error: Exception, failures: int) -> None:
        code = error.code if isinstance(error, CodedError) else type(error).__name__
        # The first of a row, then ever fewer.
        if failures & (failures - 1) == 0:
            log.warning(
                "messages not taken over",
                topic=self._topic,
                group=self._group,
                code=code,
                attempt=failures,
            )
