"""What is RabbitMQ's own: how its connections and queues come to be."""

import asyncio
import secrets
from contextlib import suppress

import aio_pika

from chassis.bus.port import BusUnavailable
from chassis.bus.rabbitmq import RabbitBus, RabbitOptions
from chassis.messages import USER_EVENTS
from tests.chassis.bus.conftest import QUICK, TOPOLOGY
from tests.chassis.events import event
from tests.waiting import eventually


def make_bus(url: str) -> RabbitBus:
    prefix = f"test-{secrets.token_hex(4)}"
    return RabbitBus(url, topology=TOPOLOGY, options=RabbitOptions(prefix=prefix, backoff=QUICK))


async def test_impatient_callers_do_not_keep_the_bus_from_connecting(amqp_url: str) -> None:
    """Callers that give up sooner than a connection takes do not start it over each time."""
    bus = make_bus(amqp_url)

    async def connected() -> bool:
        with suppress(TimeoutError, BusUnavailable):
            async with asyncio.timeout(0.001):
                await bus.publish([event(1)])
        return bus._publishing._connection is not None

    await eventually(connected, timeout=30)
    await bus.close()


async def test_queue_with_other_arguments_is_used_as_it_is(amqp_url: str) -> None:
    """A queue that operators have made differently does not keep the platform from starting."""
    bus = make_bus(amqp_url)
    name = bus._names.queue(USER_EVENTS, "ledger")
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "classic"})
    await eventually(lambda: published(bus), timeout=30)
    async with asyncio.timeout(30), bus.consume(USER_EVENTS, "ledger") as consumer:
        (delivery,) = await consumer.receive()
    assert delivery.event.version == 1
    await bus.close()


async def test_deleted_queue_is_declared_anew(amqp_url: str) -> None:
    """A queue that somebody deletes is missed at the next publish, and is back soon after."""
    bus = make_bus(amqp_url)
    await eventually(lambda: published(bus), timeout=30)
    connection = await aio_pika.connect(amqp_url)
    async with asyncio.timeout(60), bus.consume(USER_EVENTS, "ledger") as consumer:
        await consumer.acknowledge(await consumer.receive())
        waiting = asyncio.create_task(consumer.receive())
        async with connection, connection.channel() as channel:
            for group in TOPOLOGY[USER_EVENTS]:
                await channel.queue_delete(bus._names.queue(USER_EVENTS, group))
        await eventually(lambda: published(bus, 2), timeout=30)
        (delivery,) = await waiting
    assert delivery.event.version == 2
    await bus.close()


async def published(bus: RabbitBus, number: int = 1) -> bool:
    with suppress(BusUnavailable):
        await bus.publish([event(number)])
        return True
    return False
