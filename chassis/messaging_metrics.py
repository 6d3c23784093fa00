"""What messaging tells Prometheus: the relay of the outbox, the inbox, and the bus' queues."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import nan
from typing import Final

from chassis.bus import Bus, BusUnavailable, QueueStats
from chassis.inbox import InboxStats
from chassis.messages import TOPOLOGY, Event, Topology
from chassis.metrics import AGE_BUCKETS, Metrics, exemplar
from resilience.clock import SYSTEM_CLOCK, Clock

OUTCOMES: Final = ("ack", "retry", "dead_letter")


def queue_name(topic: str, group: str) -> str:
    """The label of a group's queue, the same on every bus."""
    return f"{topic}.{group}"


class RelayMetrics:
    """What the relay does, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        batches = metrics.counter(
            "outbox_publish_total", "Batches handed to the bus", result=("ok", "error")
        )
        self._ok, self._error = batches.labels("ok"), batches.labels("error")
        self._published = metrics.counter("outbox_published_total", "Events confirmed by the bus")
        self._failures = metrics.counter(
            "outbox_failures_total", "Batches that were not relayed", code=()
        )
        self._pending = metrics.gauge("outbox_pending_messages", "Events that wait for the bus")
        self._oldest = metrics.gauge(
            "outbox_oldest_pending_age_seconds", "Age of the oldest waiting event"
        )

    def published(self, count: int) -> None:
        self._ok.inc()
        self._published.inc(count)

    def failed(self, code: str) -> None:
        self._error.inc()
        self._failures.labels(code).inc()

    def backlog(self, pending: int, oldest_age: float) -> None:
        self._pending.set(pending)
        self._oldest.set(oldest_age)


class InboxMetrics:
    """What the inbox of `group` does with messages of `topics`, as metrics."""

    def __init__(self, metrics: Metrics, group: str, topics: Sequence[str]) -> None:
        self._queues = {topic: queue_name(topic, group) for topic in topics}
        queues = tuple(self._queues.values())
        durations = metrics.histogram(
            "message_processing_duration_seconds",
            "Time of one try to handle a message",
            queue=queues,
            outcome=OUTCOMES,
        )
        self._durations = {
            (queue, outcome): durations.labels(queue, outcome)
            for queue in queues
            for outcome in OUTCOMES
        }
        ages = metrics.histogram(
            "message_age_seconds",
            "From what an event tells of, by its producer's clock, to its effects here",
            buckets=AGE_BUCKETS,
            queue=queues,
        )
        self._ages = {queue: ages.labels(queue) for queue in queues}
        self._failures = metrics.counter(
            "inbox_failures_total", "Messages not handled, to be tried again", type=(), code=()
        )
        self._parks = metrics.counter(
            "inbox_parks_total", "Messages set aside for staff", type=(), code=()
        )
        self._pending = metrics.gauge("inbox_pending", "Messages that wait to be handled")
        self._parked = metrics.gauge("inbox_parked_messages", "Messages that wait for staff")
        self._oldest = metrics.gauge("inbox_oldest_age_seconds", "Age of the oldest open message")

    def handled(self, event: Event, seconds: float) -> None:
        self._tried(event, "ack", seconds)
        if (queue := self._queues.get(event.topic)) is not None:
            age = (datetime.now(UTC) - event.occurred_at).total_seconds()
            self._ages[queue].observe(max(0.0, age), exemplar())

    def failed(self, event: Event | None, code: str, seconds: float) -> None:
        self._tried(event, "retry", seconds)
        self._failures.labels(_type(event), code).inc()

    def parked(self, event: Event | None, code: str, seconds: float) -> None:
        self._tried(event, "dead_letter", seconds)
        self._parks.labels(_type(event), code).inc()

    def backlog(self, stats: InboxStats) -> None:
        self._pending.set(stats.pending)
        self._parked.set(stats.parked)
        self._oldest.set(stats.oldest_age)

    def _tried(self, event: Event | None, outcome: str, seconds: float) -> None:
        # What cannot be decoded never came through a receiver, and belongs to no queue.
        queue = None if event is None else self._queues.get(event.topic)
        if queue is not None:
            self._durations[queue, outcome].observe(seconds, exemplar())


def _type(event: Event | None) -> str:
    return "undecodable" if event is None else event.type


class QueueGauges:
    """The queues of the bus as gauges, alike on every adapter. NaN is said for what is not known."""

    def __init__(
        self,
        bus: Bus,
        metrics: Metrics,
        *,
        topology: Topology = TOPOLOGY,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._queues = [queue_name(topic, group) for topic in topology for group in topology[topic]]
        self._abandoned: dict[str, float] = {}
        make = metrics.gauge
        self._ready = make("queue_messages_ready", "Messages that wait in a queue", queue=())
        self._consumers = make("queue_consumers", "Processes that consume a queue", queue=())
        self._oldest = make(
            "queue_oldest_age_seconds", "Age of a queue's oldest message; 0 when empty", queue=()
        )
        self._dead = make("queue_dead_letters", "Undecodable messages set aside", queue=())
        self._unknown()

    async def look(self) -> bool:
        """Ask the bus once; nothing is left to do afterwards."""
        try:
            found = await self._bus.queue_stats()
        except BusUnavailable:
            self._unknown()
            return False
        for stats in found:
            queue = queue_name(stats.topic, stats.group)
            self._ready.labels(queue).set(stats.ready)
            self._consumers.labels(queue).set(stats.consumers)
            self._oldest.labels(queue).set(self._age(queue, stats))
            self._dead.labels(queue).set(stats.dead_letters)
        return False

    def _age(self, queue: str, stats: QueueStats) -> float:
        if stats.consumers or not stats.ready:
            self._abandoned.pop(queue, None)
        if stats.oldest_age is not None:
            return stats.oldest_age
        if not stats.depth:
            return 0.0
        if stats.consumers:
            return nan  # the process that consumes it knows
        # RabbitMQ tells an age to consumers only. Without any, the oldest is at least this old.
        now = self._clock.monotonic()
        return now - self._abandoned.setdefault(queue, now)

    def _unknown(self) -> None:
        for queue in self._queues:
            for gauge in (self._ready, self._consumers, self._oldest, self._dead):
                gauge.labels(queue).set(nan)
