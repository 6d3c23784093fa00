"""A process' share of messaging, as workers and metrics: the relay of its outbox, its inbox.

workers = [relay(engine, bus, metrics), *consumers(engine, bus, "ledger", topics, handlers, metrics)]
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.bus import Bus
from chassis.bus.postgres import PostgresBus
from chassis.bus.rabbitmq import RabbitBus
from chassis.inbox import Handler, InboxReceiver, InboxStats, InboxWorker
from chassis.metrics import Metrics
from chassis.outbox import OutboxRelay
from chassis.settings import Settings, SettingsError
from chassis.workers import Worker


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


class RelayMetrics:
    """What the relay does, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._published = metrics.counter("outbox_published_total", "Events confirmed by the bus")
        self._failures = metrics.counter(
            "outbox_failures_total", "Batches that were not relayed", code=()
        )
        self._pending = metrics.gauge("outbox_pending", "Events that wait for the bus")
        self._oldest = metrics.gauge("outbox_oldest_age_seconds", "Age of the oldest waiting event")

    def published(self, count: int) -> None:
        self._published.inc(count)

    def failed(self, code: str) -> None:
        self._failures.labels(code).inc()

    def backlog(self, pending: int, oldest_age: float) -> None:
        self._pending.set(pending)
        self._oldest.set(oldest_age)


class InboxMetrics:
    """What the inbox does, as metrics."""

    def __init__(self, metrics: Metrics, types: Sequence[str]) -> None:
        self._handled = metrics.histogram(
            "inbox_handling_seconds", "Time to handle a message", type=tuple(types)
        )
        self._failures = metrics.counter(
            "inbox_failures_total", "Messages not handled, to be tried again", type=(), code=()
        )
        self._parks = metrics.counter(
            "inbox_parks_total", "Messages set aside for staff", type=(), code=()
        )
        self._pending = metrics.gauge("inbox_pending", "Messages that wait to be handled")
        self._parked = metrics.gauge("inbox_parked_messages", "Messages that wait for staff")
        self._oldest = metrics.gauge("inbox_oldest_age_seconds", "Age of the oldest open message")

    def handled(self, type_: str, seconds: float) -> None:
        self._handled.labels(type_).observe(seconds)

    def failed(self, type_: str, code: str) -> None:
        self._failures.labels(type_, code).inc()

    def parked(self, type_: str, code: str) -> None:
        self._parks.labels(type_, code).inc()

    def backlog(self, stats: InboxStats) -> None:
        self._pending.set(stats.pending)
        self._parked.set(stats.parked)
        self._oldest.set(stats.oldest_age)


def relay(engine: AsyncEngine, bus: Bus, metrics: Metrics) -> Worker:
    """The worker that relays this database's outbox."""
    return Loop("outbox relay", OutboxRelay(engine, bus, listener=RelayMetrics(metrics)))


def consumers(
    engine: AsyncEngine,
    bus: Bus,
    group: str,
    topics: Sequence[str],
    handlers: Mapping[str, Handler],
    metrics: Metrics,
) -> list[Worker]:
    """The workers that take `topics` over for `group` and handle what came."""
    worker = InboxWorker(engine, group, handlers, listener=InboxMetrics(metrics, tuple(handlers)))
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
