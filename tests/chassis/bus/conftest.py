"""Both buses behind one face, so that one suite proves one contract."""

import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest
from sqlalchemy import text

from chassis.bus.port import Bus
from chassis.bus.postgres import PostgresBus, PostgresBusOptions
from chassis.bus.rabbitmq import RabbitBus, RabbitOptions
from chassis.database import create_engine, transaction
from chassis.ddl import BUS_V1, BUS_V2
from chassis.messages import USER_EVENTS, USER_REGISTERED, Topology
from chassis.pacing import Backoff
from tests.cable import Cable
from tests.conftest import CreateDatabase

TOPOLOGY: Topology = {
    USER_EVENTS: {"ledger": ("*",), "picky": (USER_REGISTERED,)},
    "quiet-events": {},
}
QUICK = Backoff(0.02, 0.2)


class BusMaker:
    """Opens buses on one broker, each as a process of its own would, over a cable."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Generous: the machine may be running several suites, and the loop checks itself.
        self.confirm_timeout = 15.0
        parts = urlsplit(url)
        self.cable = Cable(parts.hostname or "", parts.port or 0)

    @property
    def cabled_url(self) -> str:
        """The broker's address, through the cable."""
        parts = urlsplit(self.url)
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.cable.port}"
        return urlunsplit(parts._replace(netloc=place))

    def open(self, topology: Topology = TOPOLOGY) -> Bus:
        raise NotImplementedError

    async def prepare(self) -> None:
        """Make the broker ready."""

    async def publish_garbage(self, topic: str, type_: str, body: bytes) -> None:
        """Put bytes that are no event where an event would be published."""
        raise NotImplementedError


class PostgresMaker(BusMaker):
    def open(self, topology: Topology = TOPOLOGY) -> Bus:
        return PostgresBus(
            self.cabled_url,
            application_name="bus-under-test",
            topology=topology,
            options=PostgresBusOptions(standby=0.05, backoff=QUICK),
            rng=random.Random(1),
        )

    async def prepare(self) -> None:
        await self._execute(BUS_V1)
        await self._execute(BUS_V2)

    async def publish_garbage(self, topic: str, type_: str, body: bytes) -> None:
        await self._execute(
            "INSERT INTO bus_message (topic, consumer_group, payload) SELECT topic, consumer_group,"
            " :body FROM bus_subscription WHERE topic = :topic AND type IN (:type, '*')",
            topic=topic,
            type=type_,
            body=body,
        )

    async def _execute(self, statement: str, **parameters: object) -> None:
        engine = create_engine(self.url, application_name="test")
        async with transaction(engine) as uow:
            await uow.connection.execute(text(statement), parameters)
            await uow.commit()
        await engine.dispose()


class RabbitMaker(BusMaker):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.prefix = f"test-{secrets.token_hex(4)}"

    def open(self, topology: Topology = TOPOLOGY) -> Bus:
        options = RabbitOptions(
            prefix=self.prefix, backoff=QUICK, confirm_timeout=self.confirm_timeout
        )
        return RabbitBus(self.cabled_url, topology=topology, options=options, rng=random.Random(1))

    async def publish_garbage(self, topic: str, type_: str, body: bytes) -> None:
        connection = await aio_pika.connect(self.url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(f"{self.prefix}.{topic}", ensure=False)
            await exchange.publish(aio_pika.Message(body), type_)


@pytest.fixture(params=["postgres", "rabbitmq"])
def rabbit_url(request: pytest.FixtureRequest) -> str | None:
    """The RabbitMQ to test, or None to test PostgreSQL. Not async: starting a broker takes long."""
    if request.param == "postgres":
        return None
    url: str = request.getfixturevalue("amqp_url")
    return url


@pytest.fixture
async def maker(rabbit_url: str | None, create_database: CreateDatabase) -> AsyncIterator[BusMaker]:
    """One broker's buses."""
    if rabbit_url is not None:
        made: BusMaker = RabbitMaker(rabbit_url)
    else:
        made = PostgresMaker(await create_database("bus"))
    await made.prepare()
    async with made.cable:
        yield made


class Opener(Protocol):
    """Opens a bus that is closed after the test."""

    def __call__(self, topology: Topology = TOPOLOGY) -> Bus: ...


@pytest.fixture
async def open_bus(maker: BusMaker) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:

        def opened(topology: Topology = TOPOLOGY) -> Bus:
            bus = maker.open(topology)
            stack.push_async_callback(bus.close)
            return bus

        yield opened


@pytest.fixture
def bus(open_bus: Opener) -> Bus:
    return open_bus()
