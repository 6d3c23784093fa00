"""A bus behind its policies fails at once while the broker does, and is otherwise the same bus."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import cast

import pytest

from chassis.bus.guarded import GuardedBus
from chassis.bus.port import BusUnavailable, Consumer, QueueStats
from chassis.messages import Event
from chassis.verdicts import judge
from resilience import BreakerOptions, Pipeline, PipelineOptions, TimeoutOptions
from resilience.testing import FakeClock
from tests.chassis.events import event

OPTIONS = PipelineOptions(
    breaker=BreakerOptions(window="consecutive", consecutive_failures=2, break_jitter=0.0),
    timeout=TimeoutOptions(seconds=1.0),
)


class Inner:
    """A bus that fails while told to, and notes what it is asked."""

    def __init__(self) -> None:
        self.down = True
        self.asked: list[str] = []

    async def publish(self, events: Sequence[Event]) -> None:
        self.asked.append("publish")
        if self.down:
            raise BusUnavailable

    def consume(self, topic: str, group: str) -> AbstractAsyncContextManager[Consumer]:
        self.asked.append(f"consume {topic} {group}")
        return nullcontext(cast("Consumer", self))

    async def queue_stats(self) -> Sequence[QueueStats]:
        return ()

    async def ping(self) -> None:
        self.asked.append("ping")

    async def close(self) -> None:
        self.asked.append("close")


async def test_a_broker_that_fails_is_left_alone_for_a_while() -> None:
    """Publishing fails at once, as not confirmed, and works again after the break."""
    clock, inner = FakeClock(), Inner()
    bus = GuardedBus(inner, Pipeline("bus", OPTIONS, clock=clock, classifier=judge))

    for _ in range(4):
        with pytest.raises(BusUnavailable):
            await bus.publish([event(1)])
    assert inner.asked == ["publish"] * 2

    inner.down = False
    await clock.advance(5.0)
    await bus.publish([event(1)])
    assert inner.asked == ["publish"] * 3


async def test_what_no_policy_may_stop_goes_straight_through() -> None:
    """Consuming waits for its broker itself; health checks and closing ask past an open breaker."""
    inner = Inner()
    pipeline = Pipeline("bus", OPTIONS, classifier=judge)
    bus = GuardedBus(inner, pipeline)
    assert pipeline.breaker is not None
    pipeline.breaker.open()

    bus.consume("user-events", "ledger")
    await bus.ping()
    assert await bus.queue_stats() == ()
    await bus.close()

    assert inner.asked == ["consume user-events ledger", "ping", "close"]
