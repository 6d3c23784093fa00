"""An inbox in a database of its own, and a bus that is a list."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.bus.port import BusUnavailable, Delivery, QueueStats
from chassis.database import create_engine, transaction
from chassis.ddl import INBOX_V1
from chassis.inbox import InboxStats, accept
from chassis.messages import Event
from tests.conftest import CreateDatabase

CONSUMER = "ledger"


@pytest.fixture
async def engine(create_database: CreateDatabase) -> AsyncIterator[AsyncEngine]:
    """A service's database with an inbox, and a table for its effects."""
    engine = create_engine(await create_database("inbox"), application_name="test")
    async with transaction(engine) as uow:
        await uow.connection.execute(text(INBOX_V1))
        await uow.connection.execute(
            text("CREATE TABLE effect (n serial PRIMARY KEY, key text, number bigint)")
        )
        await uow.commit()
    yield engine
    await engine.dispose()


async def take_in(engine: AsyncEngine, *events: Event, consumer: str = CONSUMER) -> int:
    """Accept events, as the receiver does."""
    async with transaction(engine) as uow:
        new = await accept(uow.connection, consumer, events)
        await uow.commit()
    return new


async def apply(connection: AsyncConnection, event: Event) -> None:
    """A handler that leaves a trace."""
    await connection.execute(
        text("INSERT INTO effect (key, number) VALUES (:key, :number)"),
        {"key": event.key, "number": event.version},
    )


async def effects(engine: AsyncEngine) -> dict[str, list[int]]:
    """What handlers have left, per key and in order."""
    found: dict[str, list[int]] = {}
    async with transaction(engine) as uow:
        for row in await uow.connection.execute(text("SELECT key, number FROM effect ORDER BY n")):
            found.setdefault(row.key, []).append(row.number)
    return found


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.handled_types: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.parks: list[tuple[str, str]] = []
        self.stats: list[InboxStats] = []

    def handled(self, event: Event, seconds: float) -> None:
        assert seconds >= 0
        self.handled_types.append(event.type)

    def failed(self, event: Event | None, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.failures.append((_type(event), code))

    def parked(self, event: Event | None, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.parks.append((_type(event), code))

    def backlog(self, stats: InboxStats) -> None:
        self.stats.append(stats)


def _type(event: Event | None) -> str:
    return "undecodable" if event is None else event.type


class ListBus:
    """A bus whose queue is a list; acknowledging can be made to fail."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.queue = list(events)
        self.acknowledged: list[Event] = []
        self.fail_acknowledge = 0

    async def publish(self, events: Sequence[Event]) -> None:
        self.queue += events

    @asynccontextmanager
    async def consume(self, topic: str, group: str) -> AsyncIterator["ListBus"]:
        yield self

    async def receive(self, limit: int = 10) -> Sequence[Delivery]:
        while not self.queue:
            await asyncio.sleep(0.005)
        return [Delivery(event, tag) for tag, event in enumerate(self.queue[:limit])]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if self.fail_acknowledge:
            self.fail_acknowledge -= 1
            raise BusUnavailable
        self.acknowledged += self.queue[: len(deliveries)]
        del self.queue[: len(deliveries)]

    async def queue_stats(self) -> Sequence[QueueStats]:
        return []

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
