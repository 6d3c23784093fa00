"""A receiver that fails is left alone for a while, and no delivery is lost by that."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from resilience import BreakerOptions, Pipeline, PipelineOptions, TimeoutOptions
from resilience.testing import FakeClock
from services.notifications.channels.guarded import GuardedChannel
from services.notifications.channels.port import DeliveryFailed, Letter

LETTER = Letter(
    id=uuid4(),
    user_id=uuid4(),
    type="x",
    title="x",
    body="x",
    transaction_id=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    correlation_id="test-correlation",
)


class Receiver:
    """A channel that fails as told."""

    name = "webhook"

    def __init__(self, failure: DeliveryFailed | None) -> None:
        self.failure = failure
        self.asked = 0

    async def deliver(self, letter: Letter) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure


def guarded(receiver: Receiver, clock: FakeClock) -> GuardedChannel:
    options = PipelineOptions(
        breaker=BreakerOptions(
            window="consecutive", consecutive_failures=2, break_seconds=30.0, break_jitter=0.0
        ),
        timeout=TimeoutOptions(seconds=1.0),
    )
    return GuardedChannel(receiver, Pipeline("webhook", options, clock=clock))


async def failure_of(channel: GuardedChannel) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        await channel.deliver(LETTER)
    return caught.value


async def test_a_receiver_that_is_down_is_left_alone() -> None:
    """While the breaker is open deliveries are put off, not failed, for as long as the break lasts."""
    clock, receiver = FakeClock(), Receiver(DeliveryFailed("HTTP_503"))
    channel = guarded(receiver, clock)

    said = [await failure_of(channel) for _ in range(3)]

    assert [failure.reason for failure in said] == ["HTTP_503", "HTTP_503", "RESTING"]
    assert not said[2].permanent
    assert said[2].after == pytest.approx(30.0)
    assert receiver.asked == 2

    receiver.failure = None
    await clock.advance(30.0)
    await channel.deliver(LETTER)
    assert receiver.asked == 3


async def test_a_refusal_for_good_is_no_outage() -> None:
    """A receiver that refuses letters for good is up."""
    receiver = Receiver(DeliveryFailed("HTTP_410", permanent=True))
    channel = guarded(receiver, FakeClock())

    assert {(await failure_of(channel)).reason for _ in range(5)} == {"HTTP_410"}
    assert receiver.asked == 5
