"""Duplicates, crashes and outages between the bus, the inbox, the channel and the outbox."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from baluarte import databases
from baluarte.migrate import migrate
from chassis import messages
from chassis.bus import BusUnavailable
from chassis.bus.postgres import PostgresBus
from chassis.database import create_engine, transaction
from chassis.inbox import InboxWorker, accept
from chassis.messages import Event, decode
from chassis.metrics import Metrics
from services.notifications import store
from services.notifications.channels.port import DeliveryFailed, Letter
from services.notifications.delivery import Deliveries, DeliveryMetrics
from services.notifications.intake import Intake
from services.transactions.contract import TransactionSettled, TransactionStatus, TransactionType
from services.users.contract import UserRegistered
from tests.conftest import CreateDatabase, StartPostgres
from tests.services.notifications.conftest import event, rows
from tests.services.notifications.test_app import running
from tests.waiting import eventually


def transfer(sender: UUID, receiver: UUID, amount: int) -> Event:
    data = TransactionSettled(
        transaction_id=uuid4(),
        type=TransactionType.TRANSFER,
        status=TransactionStatus.COMPLETED,
        sender_id=sender,
        receiver_id=receiver,
        sender_name="Ana",
        receiver_name="Bento",
        amount=amount,
        currency="BRL",
        failure_reason=None,
        reverses=None,
    )
    return event(data, messages.TRANSACTION_COMPLETED, topic=messages.TRANSACTION_EVENTS)


class Unreliable:
    """Takes letters, loses some answers, refuses some: by its own dice."""

    name = "log"

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.letters: list[Letter] = []

    async def deliver(self, letter: Letter) -> None:
        await asyncio.sleep(0)
        throw = self.dice.random()
        if throw < 0.2:
            raise DeliveryFailed("HTTP_503")
        self.letters.append(letter)
        if throw < 0.3:
            raise DeliveryFailed("TIMEOUT")  # taken, but the answer was lost


async def drain(engine: AsyncEngine, deliveries: Deliveries) -> None:
    """Work until nothing is pending, passing over the pauses."""
    for _ in range(60):
        while await deliveries.work():
            pass
        if not await rows(engine, "SELECT 1 FROM deliveries WHERE status = 'PENDING'"):
            return
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE deliveries SET next_attempt_at = clock_timestamp()")
            )
    raise AssertionError("deliveries are still pending")


async def test_duplicates_from_the_bus(engine: AsyncEngine) -> None:
    """Events that the bus delivers again and again give each recipient one notification."""
    ana, bento = uuid4(), uuid4()
    events = [transfer(ana, bento, amount) for amount in (1, 2, 3)]
    worker = InboxWorker(engine, "notifications", Intake(("log",)).handlers())
    for _ in range(3):
        async with transaction(engine) as uow:
            await accept(uow.connection, "notifications", events)
            await uow.commit()
        for item in events:
            for _ in range(2):
                await worker.handle_next(item.key)
    found = await rows(engine, "SELECT user_id, count(*) AS n FROM notifications GROUP BY 1")
    assert {row.user_id: row.n for row in found} == {ana: 3, bento: 3}


async def test_unreliable_channel(engine: AsyncEngine) -> None:
    """Whatever a channel loses, every notification is delivered at least once, and told exactly once."""
    ana, bento = uuid4(), uuid4()
    handlers = Intake(("log",)).handlers()
    async with transaction(engine) as uow:
        for amount in range(1, 21):
            item = transfer(ana, bento, amount)
            await handlers[item.type](uow.connection, item)
        await uow.commit()
    channel = Unreliable(7)
    metrics = DeliveryMetrics(Metrics(), ("log",))
    await drain(engine, Deliveries(engine, {"log": channel}, metrics, rng=random.Random(1)))

    statuses = await rows(engine, "SELECT id, status FROM notifications")
    assert {row.status for row in statuses} == {"DELIVERED"}
    assert {letter.id for letter in channel.letters} == {row.id for row in statuses}
    told = [decode(row.payload) for row in await rows(engine, "SELECT payload FROM outbox")]
    assert len(told) == len({item.id for item in told}) == 40
    assert Counter(item.key for item in told) == {str(ana): 20, str(bento): 20}
    for user_id in (ana, bento):
        versions = sorted(item.version for item in told if item.key == str(user_id))
        assert versions == list(range(1, 21))


async def test_replica_killed_in_the_middle(engine: AsyncEngine) -> None:
    """A replica that dies with a batch in hand delays it by the lease and loses nothing."""
    handlers = Intake(("log",)).handlers()
    async with transaction(engine) as uow:
        for amount in range(1, 6):
            item = transfer(uuid4(), uuid4(), amount)
            await handlers[item.type](uow.connection, item)
        await uow.commit()
    metrics = DeliveryMetrics(Metrics(), ("log",))
    held = asyncio.Event()

    class Hanging:
        name = "log"

        async def deliver(self, letter: Letter) -> None:
            held.set()
            await asyncio.Event().wait()

    dying = asyncio.create_task(Deliveries(engine, {"log": Hanging()}, metrics).work())
    await held.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    channel = Unreliable(3)
    await drain(engine, Deliveries(engine, {"log": channel}, metrics))
    assert {row.status for row in await rows(engine, "SELECT status FROM notifications")} == {
        "DELIVERED"
    }
    assert len({letter.id for letter in channel.letters}) == 10


async def test_two_replicas_on_one_bus(
    database_url: str, create_database: CreateDatabase, tmp_path: Path, engine: AsyncEngine
) -> None:
    """With two processes every event is still one notification per recipient, delivered and told once."""
    bus_url = await create_database("bus")
    await migrate(bus_url, "bus")
    people = [uuid4() for _ in range(4)]
    async with (
        running(database_url, bus_url, tmp_path / "one") as first,
        running(database_url, bus_url, tmp_path / "two"),
    ):
        await first.bus.publish(
            [
                event(
                    UserRegistered(user_id=user_id, name="Ana", active=True),
                    messages.USER_REGISTERED,
                    key=user_id,
                )
                for user_id in people
            ]
        )
        await first.bus.publish(
            [transfer(people[n % 4], people[(n + 1) % 4], n) for n in range(1, 13)]
        )

        async def all_done() -> bool:
            found = await rows(engine, "SELECT 1 FROM notifications WHERE status = 'DELIVERED'")
            return len(found) == 4 + 24 and not await rows(engine, "SELECT 1 FROM outbox")

        await eventually(all_done, timeout=60)
    assert len(await rows(engine, "SELECT 1 FROM notifications")) == 28
    delivered = await rows(engine, "SELECT sum(delivered) AS n FROM recipients")
    assert delivered[0].n == 28


async def test_postgres_killed_and_back(start_postgres: StartPostgres, tmp_path: Path) -> None:
    """Events published around a crash of the database are all told to their recipients, once."""
    server = await asyncio.to_thread(start_postgres)
    async with databases.connection(server.url, ssl=False) as connection:
        for name in ("notifications", "bus"):
            await connection.execute(f"CREATE DATABASE {name}")
    url, bus_url = server.database_url("notifications"), server.database_url("bus")
    await migrate(url, "notifications")
    await migrate(bus_url, "bus")
    ana, bento = uuid4(), uuid4()
    engine = create_engine(url, application_name="faults-test")
    bus = PostgresBus(bus_url, application_name="faults-test")
    async with running(url, bus_url, tmp_path):
        await bus.publish([transfer(ana, bento, amount) for amount in range(1, 11)])
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

        async def publish() -> bool:
            try:
                await bus.publish([last])
            except BusUnavailable:
                return False
            return True

        last = transfer(ana, bento, 11)
        await eventually(publish, timeout=30)

        async def all_told() -> bool:
            try:
                found = await rows(engine, "SELECT status FROM notifications")
            except Exception:  # noqa: BLE001 - the pool still holds connections of the dead server
                return False
            return [row.status for row in found] == ["DELIVERED"] * 22

        await eventually(all_told, timeout=60)
    await bus.close()
    await engine.dispose()


def test_ids_are_derived() -> None:
    """The same event and recipient always give the same notification id, others never."""
    one, other = uuid4(), uuid4()
    assert store.notification_id(one, other) == store.notification_id(one, other)
    assert store.notification_id(one, other) != store.notification_id(other, one)
