"""A process' share of messaging, as workers and metrics: the relay of its outbox, its inbox.

workers = [
    relay(engine, bus, metrics),
    queue_gauges(bus, metrics),
    *consumers(engine, bus, "ledger", topics, handlers, metrics),
]
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.bus import Bus
from chassis.bus.postgres import PostgresBus
from chassis.bus.rabbitmq import RabbitBus
from chassis.inbox import Handler, InboxReceiver, InboxWorker
from chassis.messaging_metrics import InboxMetrics, QueueGauges, RelayMetrics
from chassis.metrics import Metrics
from chassis.outbox import OutboxRelay
from chassis.periodic import Periodic
from chassis.settings import Settings, SettingsError
from chassis.workers import Worker

LOOK_EVERY: Final = 5.0
"""Seconds between two looks at the queues."""


class Stoppable(Protocol):
    """A loop that runs until it is told to stop."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


class Loop:
    """A `Stoppable` as a worker of the process."""

    def __init__(self, name: str, loop: Stoppable) -> None:
        self.name = name
        self._loop = loop

    async def run(self, stop: asyncio.Event) -> None:
        running = asyncio.create_task(self._loop.run())
        stopping = asyncio.create_task(_stopped(stop))
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                self._loop.stop()
            await running
        finally:
            stopping.cancel()
            if not running.done():
                running.cancel()
                await asyncio.wait({running})


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()


def relay(engine: AsyncEngine, bus: Bus, metrics: Metrics) -> Worker:
    """The worker that relays this database's outbox."""
    return Loop("outbox relay", OutboxRelay(engine, bus, listener=RelayMetrics(metrics)))


def queue_gauges(bus: Bus, metrics: Metrics) -> Worker:
    """The worker that shows the bus' queues. Every process shows all: one that is down shows none."""
    return Periodic("queue gauges", QueueGauges(bus, metrics).look, every=LOOK_EVERY)


def consumers(
    engine: AsyncEngine,
    bus: Bus,
    group: str,
    topics: Sequence[str],
    handlers: Mapping[str, Handler],
    metrics: Metrics,
) -> list[Worker]:
    """The workers that take `topics` over for `group` and handle what came."""
    worker = InboxWorker(engine, group, handlers, listener=InboxMetrics(metrics, group, topics))
    receivers = [
        InboxReceiver(engine, bus, topic, group, on_accepted=worker.wake) for topic in topics
    ]
    return [
        Loop("inbox", worker),
        *(
            Loop(f"receiver of {topic}", receiver)
            for topic, receiver in zip(topics, receivers, strict=True)
        ),
    ]


def bus_of(settings: Settings) -> Bus:
    """The bus that the settings name: RabbitMQ where there is one, else PostgreSQL.

    Nothing connects until it is used.

    Raises:
        SettingsError: they name none.
    """
    if settings.amqp_url is not None:
        return RabbitBus(settings.amqp_url.reveal())
    if settings.bus_database_url is not None:
        return PostgresBus(settings.bus_database_url.reveal(), application_name=settings.service)
    problem = (
        "BALUARTE_BUS_DATABASE_URL and BALUARTE_AMQP_URL are both missing; "
        "give a PostgreSQL database for the bus, or a RabbitMQ URL"
    )
    raise SettingsError([problem])
