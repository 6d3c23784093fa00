"""From one service's transaction to another's, over either bus, while parts of the way die."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.bus.port import Bus
from chassis.bus.postgres import PostgresBus, PostgresBusOptions
from chassis.bus.rabbitmq import RabbitBus, RabbitOptions
from chassis.database import create_engine, transaction
from chassis.ddl import BUS_V1, BUS_V2, INBOX_V1, OUTBOX_V1
from chassis.inbox import InboxOptions, InboxReceiver, InboxWorker
from chassis.messages import USER_EVENTS, USER_REGISTERED, Event
from chassis.outbox import OutboxRelay, RelayOptions, enqueue
from chassis.pacing import Backoff
from tests import servers
from tests.chassis.events import event
from tests.conftest import CreateDatabase
from tests.waiting import eventually

QUICK = Backoff(0.05, 0.5)
TOPOLOGY = {USER_EVENTS: {"ledger": ("*",)}}
COUNT, KEYS = 60, 5


@dataclass
class Breakable:
    """A broker of the test's own, which dies without warning and comes back with its data."""

    open: Callable[[], Bus]
    remembers_queues: Callable[[], bool]
    restart: Callable[[], Awaitable[None]]


@pytest.fixture
def rabbit() -> Iterator[servers.Broker]:
    with (
        servers.reachable_directory("own-rabbitmq") as directory,
        servers.running_broker(directory) as broker,
    ):
        yield broker


@pytest.fixture(params=["postgres", "rabbitmq"])
def breakable(request: pytest.FixtureRequest) -> Breakable:
    if request.param == "rabbitmq":
        return breakable_rabbit(request.getfixturevalue("rabbit"))
    return breakable_postgres(request.getfixturevalue("start_postgres")())


def breakable_rabbit(broker: servers.Broker) -> Breakable:
    queues = [f"baluarte.{kind}{USER_EVENTS}.ledger" for kind in ("", "dead.")]

    def kill_and_start() -> None:
        broker.node.kill()
        broker.node.start()
        broker.node.wait_ready(broker.is_ready, servers.BROKER_START_SECONDS)

    return Breakable(
        lambda: RabbitBus(broker.url, topology=TOPOLOGY, options=RabbitOptions(backoff=QUICK)),
        lambda: broker.remembers(*queues),
        lambda: asyncio.to_thread(kill_and_start),
    )


def breakable_postgres(server: servers.PostgresServer) -> Breakable:
    def kill_and_start() -> None:
        server.kill()
        server.start()

    def opened() -> Bus:
        return PostgresBus(
            server.url,
            application_name="bus",
            topology=TOPOLOGY,
            options=PostgresBusOptions(backoff=QUICK),
        )

    return Breakable(opened, lambda: True, lambda: asyncio.to_thread(kill_and_start))


async def make_tables(engine: AsyncEngine, *statements: str) -> None:
    async with transaction(engine) as uow:
        for statement in statements:
            await uow.connection.execute(text(statement))
        await uow.commit()


@asynccontextmanager
async def database(url: str, *statements: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(url, application_name="test")
    await make_tables(engine, *statements)
    try:
        yield engine
    finally:
        await engine.dispose()


async def apply(connection: AsyncConnection, one: Event) -> None:
    await connection.execute(
        text("INSERT INTO effect (key, number) VALUES (:key, :number)"),
        {"key": one.key, "number": one.version},
    )


async def effects(engine: AsyncEngine) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    async with transaction(engine) as uow:
        for row in await uow.connection.execute(text("SELECT key, number FROM effect ORDER BY n")):
            found.setdefault(row.key, []).append(row.number)
    return found


async def produce(engine: AsyncEngine) -> None:
    """Write the events, a few in each transaction, for a while."""
    rng = random.Random(7)
    for start in range(0, COUNT, 4):
        async with transaction(engine) as uow:
            events = [event(n, f"key{n % KEYS}") for n in range(start, start + 4)]
            await enqueue(uow.connection, events)
            await uow.commit()
        await asyncio.sleep(rng.uniform(0, 0.1))


@asynccontextmanager
async def consuming(bus: Bus, engine: AsyncEngine) -> AsyncIterator[None]:
    """A consumer's process: receiver and worker."""
    worker = InboxWorker(
        engine,
        "ledger",
        {USER_REGISTERED: apply},
        options=InboxOptions(poll=0.1, backoff=Backoff(0.05, 0.2)),
    )
    receiver = InboxReceiver(
        engine, bus, USER_EVENTS, "ledger", on_accepted=worker.wake, backoff=QUICK
    )
    tasks = [asyncio.create_task(worker.run()), asyncio.create_task(receiver.run())]
    try:
        yield
    finally:
        worker.stop()
        receiver.stop()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def relaying(bus: Bus, engine: AsyncEngine) -> AsyncIterator[None]:
    """A producer's process: the relay."""
    relay = OutboxRelay(engine, bus, options=RelayOptions(batch=7, backoff=QUICK))
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        await task


@pytest.mark.may_block
async def test_broker_killed_in_mid_stream(
    breakable: Breakable, create_database: CreateDatabase
) -> None:
    """A broker that is killed while events flow loses none, and each takes effect once, in order."""
    if isinstance(bus := breakable.open(), PostgresBus):
        await make_tables(bus._engine, BUS_V1, BUS_V2)
    async with (
        database(await create_database("producer"), OUTBOX_V1) as producer,
        database(
            await create_database("consumer"),
            INBOX_V1,
            "CREATE TABLE effect (n serial PRIMARY KEY, key text, number bigint)",
        ) as consumer,
    ):
        async with relaying(bus, producer), consuming(bus, consumer):
            # A broker that forgets its queues loses what is in them, whatever its clients do.
            await eventually(breakable.remembers_queues, timeout=30)
            producing = asyncio.create_task(produce(producer))
            await eventually(lambda: count(consumer, 8), timeout=30)
            await breakable.restart()
            await producing
            await eventually(lambda: count(consumer, COUNT), timeout=40)
        assert await effects(consumer) == {
            f"key{k}": list(range(k, COUNT, KEYS)) for k in range(KEYS)
        }
        await eventually(lambda: outbox_empty(producer))
    await bus.close()


async def count(engine: AsyncEngine, wanted: int) -> bool:
    return sum(map(len, (await effects(engine)).values())) >= wanted


async def outbox_empty(engine: AsyncEngine) -> bool:
    async with transaction(engine) as uow:
        return not await uow.connection.scalar(text("SELECT count(*) FROM outbox"))


async def test_processes_come_and_go(create_database: CreateDatabase) -> None:
    """Relays and consumers that are replaced at random, some abruptly, keep order and effects."""
    rng = random.Random(11)
    bus_url = await create_database("bus")
    async with (
        database(await create_database("producer"), OUTBOX_V1) as producer,
        database(
            await create_database("consumer"),
            INBOX_V1,
            "CREATE TABLE effect (n serial PRIMARY KEY, key text, number bigint)",
        ) as consumer,
        database(bus_url, BUS_V1, BUS_V2),
    ):
        producing = asyncio.create_task(produce(producer))
        for _ in range(6):
            await short_lived(bus_url, producer, consumer, rng)
        await producing
        bus = open_bus(bus_url)
        async with relaying(bus, producer), consuming(bus, consumer):
            await eventually(lambda: count(consumer, COUNT), timeout=30)
        await bus.close()
        assert await effects(consumer) == {
            f"key{k}": list(range(k, COUNT, KEYS)) for k in range(KEYS)
        }


def open_bus(url: str) -> PostgresBus:
    options = PostgresBusOptions(backoff=QUICK, standby=0.05)
    return PostgresBus(url, application_name="bus", topology=TOPOLOGY, options=options)


async def short_lived(
    bus_url: str, producer: AsyncEngine, consumer: AsyncEngine, rng: random.Random
) -> None:
    """Two generations side by side, cut down after a moment without a word."""

    async def process() -> None:
        bus = open_bus(bus_url)
        try:
            async with relaying(bus, producer), consuming(bus, consumer):
                await asyncio.sleep(60)
        finally:
            await bus.close()

    tasks = [asyncio.create_task(process()) for _ in range(2)]
    await asyncio.sleep(rng.uniform(0.05, 0.4))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
