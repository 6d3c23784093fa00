"""The bus on PostgreSQL: the default where there is no RabbitMQ, in a database of its own.

A publish writes one row per event and group that wants it. A consumer reads the oldest rows of its
queue in a transaction that it keeps open until it acknowledges, which deletes them and commits: if it
dies, the server rolls back, and the next consumer finds them again, in order. An advisory lock of that
transaction makes one consumer of a group active at a time.

Neither needs the session to be ours alone, so a pooler in transaction mode may stand in between.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import logs
from chassis.bus.port import PREFETCH, BusUnavailable, Delivery, QueueStats, check_group
from chassis.database import (
    DatabaseError,
    UnitOfWork,
    autocommit,
    create_engine,
    ping,
    transaction,
    translate,
)
from chassis.messages import (
    ALL_TYPES,
    TOPOLOGY,
    Event,
    Topology,
    UndecodableMessage,
    decode,
    encode,
)
from chassis.pacing import Backoff, Pace
from resilience.clock import SYSTEM_CLOCK, Clock

ADVISORY_LOCK: Final = 0x0B05
"""First half of the consumers' advisory locks; the second is a hash of the queue's name. Two queues
whose hashes collide would take turns, no worse."""

_PUBLISH: Final = """
INSERT INTO bus_message (topic, consumer_group, payload)
SELECT new.topic, wanted.consumer_group, new.payload
FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS new (topic, type, payload, n)
JOIN bus_subscription AS wanted ON wanted.topic = new.topic AND wanted.type IN (new.type, '*')
ORDER BY new.n
"""
_SUBSCRIBE: Final = """
INSERT INTO bus_subscription (topic, consumer_group, type)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING
"""
_ANY = text(
    "SELECT EXISTS (SELECT FROM bus_message"
    " WHERE topic = :topic AND consumer_group = :consumer_group)"
)
_LEAD = text("SELECT pg_try_advisory_xact_lock(:lock, hashtext(:queue))")
_PEEK = text(
    "SELECT id, payload FROM bus_message"
    " WHERE topic = :topic AND consumer_group = :consumer_group ORDER BY id LIMIT :limit"
)
_FORGET = text(
    "DELETE FROM bus_message WHERE topic = :topic AND consumer_group = :consumer_group"
    " AND id = ANY(CAST(:ids AS bigint[]))"
)
_BURY = text(
    "WITH dead AS (DELETE FROM bus_message"
    " WHERE topic = :topic AND consumer_group = :consumer_group"
    " AND id = ANY(CAST(:ids AS bigint[])) RETURNING *)"
    " INSERT INTO bus_dead_letter (topic, consumer_group, payload, created_at)"
    " SELECT topic, consumer_group, payload, created_at FROM dead"
)
_STATS = text(
    """
SELECT topic, consumer_group,
    (SELECT count(*) FROM (SELECT FROM bus_message AS m
     WHERE m.topic = q.topic AND m.consumer_group = q.consumer_group LIMIT :limit) AS counted),
    (SELECT extract(epoch FROM clock_timestamp() - m.created_at) FROM bus_message AS m
     WHERE m.topic = q.topic AND m.consumer_group = q.consumer_group ORDER BY m.id LIMIT 1),
    (SELECT count(*) FROM bus_dead_letter AS d
     WHERE d.topic = q.topic AND d.consumer_group = q.consumer_group),
    (SELECT count(*) FROM bus_consumer AS c
     WHERE c.topic = q.topic AND c.consumer_group = q.consumer_group
     AND c.seen_at > clock_timestamp() - make_interval(secs => :present))
FROM (SELECT DISTINCT topic, consumer_group FROM bus_subscription) AS q
ORDER BY 1, 2
"""
)
_SEEN = text(
    "INSERT INTO bus_consumer (topic, consumer_group, instance)"
    " VALUES (:topic, :consumer_group, :instance)"
    " ON CONFLICT (topic, consumer_group, instance) DO UPDATE SET seen_at = clock_timestamp()"
)
_GONE = text(
    "DELETE FROM bus_consumer WHERE topic = :topic AND consumer_group = :consumer_group"
    " AND (instance = :instance OR seen_at < clock_timestamp() - make_interval(secs => :present))"
)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class PostgresBusOptions:
    """Bounds of the bus on PostgreSQL.

    Attributes:
        pool_size: connections of this process: one for each consumer, one to publish, one to look.
        poll_min, poll_max: seconds between looks at an empty queue, drawn at random; up to five times
            longer when it has been empty for a while.
        standby: seconds between looks while another process consumes the queue.
        backoff: pauses of a consumer while the database is away.
        count_limit: depths are counted up to here, since counting costs time.
        seen_every, present: seconds between two signs of life of a consumer, and how long one counts.
    """

    pool_size: int = 6
    poll_min: float = 0.02
    poll_max: float = 0.05
    standby: float = 0.25
    backoff: Backoff = field(default_factory=lambda: Backoff(0.1, 5.0))
    count_limit: int = 100_000
    seen_every: float = 5.0
    present: float = 15.0


class PostgresBus:
    """A bus in the database at `url`; see `chassis.bus.port.Bus`."""

    def __init__(
        self,
        url: str,
        *,
        application_name: str,
        topology: Topology = TOPOLOGY,
        options: PostgresBusOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._options = options or PostgresBusOptions()
        self._topology = topology
        self._engine = create_engine(
            url, application_name=application_name, pool_size=self._options.pool_size
        )
        self._clock = clock
        self._random = rng
        self._declared = False

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`."""
        arguments = (
            [event.topic for event in events],
            [event.type for event in events],
            [encode(event) for event in events],
        )
        try:
            await self._declare()
            async with transaction(self._engine) as uow:
                await uow.connection.exec_driver_sql(_PUBLISH, arguments)
                await uow.commit()
        except DatabaseError as error:
            raise BusUnavailable from error

    @asynccontextmanager
    async def consume(self, topic: str, group: str) -> AsyncIterator["PostgresConsumer"]:
        """See `Bus.consume`."""
        check_group(self._topology, topic, group)
        pace = Pace(clock=self._clock, rng=self._random)
        consumer = PostgresConsumer(self._engine, topic, group, self._options, pace)
        try:
            yield consumer
        finally:
            await consumer.leave()

    async def queue_stats(self) -> Sequence[QueueStats]:
        """See `Bus.queue_stats`."""
        try:
            await self._declare()
            async with autocommit(self._engine) as connection:
                options = self._options
                rows = await connection.execute(
                    _STATS, {"limit": options.count_limit, "present": options.present}
                )
                return [
                    QueueStats(topic, group, depth, _age(age), dead, depth, consumers)
                    for topic, group, depth, age, dead, consumers in rows
                ]
        except DatabaseError as error:
            raise BusUnavailable from error

    async def ping(self) -> None:
        """See `Bus.ping`."""
        try:
            await ping(self._engine)
        except DatabaseError as error:
            raise BusUnavailable from error

    async def close(self) -> None:
        """See `Bus.close`."""
        await self._engine.dispose()

    async def _declare(self) -> None:
        """Write the subscriptions down, once: a publisher with an older topology serves them too."""
        if self._declared:
            return
        wanted = [
            (topic, group, type_)
            for topic, groups in self._topology.items()
            for group, types in groups.items()
            for type_ in ((ALL_TYPES,) if ALL_TYPES in types else types)
        ]
        async with transaction(self._engine) as uow:
            columns = [list(column) for column in zip(*wanted, strict=True)] or [[], [], []]
            await uow.connection.exec_driver_sql(_SUBSCRIBE, tuple(columns))
            await uow.commit()
        self._declared = True


class PostgresConsumer:
    """See `chassis.bus.port.Consumer`."""

    def __init__(
        self, engine: AsyncEngine, topic: str, group: str, options: PostgresBusOptions, pace: Pace
    ) -> None:
        self._engine = engine
        self._options = options
        self._queue: dict[str, Any] = {"topic": topic, "consumer_group": group}
        self._lock = {"lock": ADVISORY_LOCK, "queue": f"{topic}/{group}"}
        self._names = {"topic": topic, "group": group}
        self._pace = pace
        self._instance = uuid4()
        self._seen_again_at = float("-inf")
        self._open = AsyncExitStack()
        self._uow: UnitOfWork | None = None

    async def receive(self, limit: int = PREFETCH) -> Sequence[Delivery]:
        """See `Consumer.receive`."""
        failures = 0
        while True:
            try:
                deliveries = await self._look(limit)
            except Exception as error:  # noqa: BLE001 - what is not the database's is raised again
                await self.release()
                if self._pace.stopping:
                    raise asyncio.CancelledError from None
                failures += 1
                await self._wait_out(error, failures)
                continue
            if deliveries:
                return deliveries
            failures = 0

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer.acknowledge`."""
        if self._uow is None:
            raise BusUnavailable("The deliveries were given back to the queue.")
        ids = [delivery.tag for delivery in deliveries]
        try:
            await self._uow.connection.execute(_FORGET, self._queue | {"ids": ids})
            await self._uow.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, the broker was not told
            raise BusUnavailable from translate(error)
        finally:
            await self.release()

    async def release(self) -> None:
        """Give back what is not acknowledged."""
        self._uow = None
        # A connection that breaks now has given everything back already.
        with suppress(DatabaseError):
            await self._open.aclose()

    async def leave(self) -> None:
        """Give back what is not acknowledged, and stop counting as a consumer."""
        await self.release()
        with suppress(DatabaseError):
            await self._sign(_GONE, present=self._options.present)

    async def _sign(self, statement: TextClause, **more: float) -> None:
        told = self._queue | {"instance": self._instance} | more
        async with transaction(self._engine) as uow:
            await uow.connection.execute(statement, told)
            await uow.commit()

    async def _tell_of_life(self) -> None:
        now = self._pace.clock.monotonic()
        if now >= self._seen_again_at:
            await self._sign(_SEEN)
            self._seen_again_at = now + self._options.seen_every

    async def _look(self, limit: int) -> list[Delivery]:
        """The oldest deliveries, in a transaction that stays open; else none, after a pause."""
        await self.release()
        await self._tell_of_life()
        async with autocommit(self._engine) as connection:
            if not await connection.scalar(_ANY, self._queue):
                await self._pace.poll(self._options.poll_min, self._options.poll_max)
                return []
            self._pace.found()
        uow = await self._open.enter_async_context(transaction(self._engine))
        if not await uow.connection.scalar(_LEAD, self._lock):
            await self.release()
            await self._pace.pause(self._options.standby)
            return []
        rows = await uow.connection.execute(_PEEK, self._queue | {"limit": limit})
        deliveries, dead = _decoded(rows)
        if dead:
            await uow.connection.execute(_BURY, self._queue | {"ids": dead})
            await uow.commit()
            log.error("undecodable messages set aside", count=len(dead), **self._names)
            return []
        self._uow = uow
        return deliveries

    async def _wait_out(self, error: Exception, failures: int) -> None:
        translated = translate(error)
        if not isinstance(translated, DatabaseError):
            raise error
        # The first of a row, then ever fewer.
        if failures & (failures - 1) == 0:
            log.warning("bus not read", code=translated.code, attempt=failures, **self._names)
        await self._pace.pause(self._options.backoff.pause(failures, self._pace.random))


def _decoded(rows: Iterable[Any]) -> tuple[list[Delivery], list[int]]:
    """Deliveries, and the ids of what is no event."""
    deliveries: list[Delivery] = []
    dead: list[int] = []
    for tag, payload in rows:
        try:
            deliveries.append(Delivery(decode(payload), tag))
        except UndecodableMessage:
            dead.append(tag)
    return deliveries, dead


def _age(seconds: Any) -> float | None:
    return None if seconds is None else max(0.0, float(seconds))
