"""What messaging shows to Prometheus."""

import math
from collections.abc import Sequence
from typing import Any, cast

from chassis.bus import Bus, BusUnavailable, QueueStats
from chassis.inbox import InboxStats
from chassis.messages import USER_EVENTS
from chassis.messaging_metrics import InboxMetrics, QueueGauges, RelayMetrics
from chassis.metrics import Metrics
from resilience.testing import FakeClock
from tests.chassis.events import event

QUEUE = "user-events.ledger"


def test_metrics_follow_the_listeners() -> None:
    """What relay and inbox report is what a scraper reads."""
    metrics = Metrics()
    relay, inbox = RelayMetrics(metrics), InboxMetrics(metrics, "ledger", (USER_EVENTS,))
    relay.published(3)
    relay.failed("UNAVAILABLE")
    relay.backlog(5, 1.5)
    inbox.handled(event(1), 0.01)
    inbox.failed(event(2), "UNAVAILABLE", 0.02)
    inbox.parked(None, "UNDECODABLE", 0.03)
    inbox.parked(event(3), "NO_HANDLER", 0.03)
    inbox.backlog(InboxStats(pending=2, parked=1, oldest_age=9.0))
    page = metrics.expose("")[0].decode()
    duration = "message_processing_duration_seconds_count"
    for line in (
        'outbox_publish_total{result="ok"} 1.0',
        'outbox_publish_total{result="error"} 1.0',
        "outbox_published_total 3.0",
        'outbox_failures_total{code="UNAVAILABLE"} 1.0',
        "outbox_pending_messages 5.0",
        "outbox_oldest_pending_age_seconds 1.5",
        f'{duration}{{outcome="ack",queue="{QUEUE}"}} 1.0',
        f'{duration}{{outcome="retry",queue="{QUEUE}"}} 1.0',
        f'{duration}{{outcome="dead_letter",queue="{QUEUE}"}} 1.0',
        f'message_age_seconds_count{{queue="{QUEUE}"}} 1.0',
        'inbox_failures_total{code="UNAVAILABLE",type="user.registered"} 1.0',
        'inbox_parks_total{code="UNDECODABLE",type="undecodable"} 1.0',
        "inbox_pending 2.0",
        "inbox_parked_messages 1.0",
        "inbox_oldest_age_seconds 9.0",
    ):
        assert line in page, line


class ScriptedBus:
    """A bus that tells of one queue what it is given, or that it cannot be asked."""

    def __init__(self) -> None:
        self.stats: QueueStats | None = None

    async def queue_stats(self) -> Sequence[QueueStats]:
        if self.stats is None:
            raise BusUnavailable
        return [self.stats]


class Watched:
    """Gauges of a scripted bus."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.bus = ScriptedBus()
        self.clock = FakeClock()
        self.gauges = QueueGauges(
            cast("Bus", self.bus),
            self.metrics,
            topology={USER_EVENTS: {"ledger": ("*",)}},
            clock=self.clock,
        )

    async def see(self, **stats: Any) -> dict[str, float]:
        told = {"depth": 0, "oldest_age": None, "dead_letters": 0} | stats
        self.bus.stats = QueueStats(USER_EVENTS, "ledger", **told)
        await self.gauges.look()
        return self.shown()

    def shown(self) -> dict[str, float]:
        read = self.metrics.registry.get_sample_value
        names = ("messages_ready", "consumers", "oldest_age_seconds", "dead_letters")
        return {name: read(f"queue_{name}", {"queue": QUEUE}) or 0.0 for name in names}


async def test_a_queue_is_shown_as_the_bus_tells_of_it() -> None:
    """Messages, consumers, age and dead letters, by one name whatever the bus."""
    shown = await Watched().see(depth=7, ready=5, consumers=2, oldest_age=3.5, dead_letters=1)

    assert shown == {
        "messages_ready": 5,
        "consumers": 2,
        "oldest_age_seconds": 3.5,
        "dead_letters": 1,
    }


async def test_what_cannot_be_known_is_not_said_to_be_nothing() -> None:
    """Before the first look, and while the bus is away, every gauge is NaN: neither 0 nor stale."""
    watched = Watched()
    assert all(math.isnan(value) for value in watched.shown().values())

    await watched.see(depth=1, ready=1, consumers=1, oldest_age=1.0)
    watched.bus.stats = None
    await watched.gauges.look()

    assert all(math.isnan(value) for value in watched.shown().values())


async def test_without_a_consumer_an_age_is_still_told() -> None:
    """Where only a consumer could know the age and none is there, it has at least been so for that long."""
    watched = Watched()
    first = await watched.see(depth=3, ready=3)
    await watched.clock.advance(40)
    later = await watched.see(depth=9, ready=9)
    consumed = await watched.see(depth=9, ready=9, consumers=1)
    empty = await watched.see()

    assert (first["oldest_age_seconds"], later["oldest_age_seconds"]) == (0, 40)
    assert math.isnan(consumed["oldest_age_seconds"])  # its consumer tells, in its own process
    assert empty["oldest_age_seconds"] == 0
