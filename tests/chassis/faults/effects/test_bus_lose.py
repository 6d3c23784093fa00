"""A message that was lost on the way is known to be lost, and keeps its place in the order."""

import pytest

from chassis.bus.port import BusUnavailable
from tests.chassis.events import event
from tests.chassis.faults.effects.conftest import FaultedBus


async def test_a_lost_message_was_not_sent_and_is_told(faulted_bus: FaultedBus) -> None:
    """What stands before it in the batch has arrived; it and what stands behind it have not."""
    events = [event(n) for n in range(4)]
    fault = faulted_bus.inject("bus_lose", target={"skip": 2, "first": 1})

    with pytest.raises(BusUnavailable, match="on purpose"):
        await faulted_bus.bus.publish(events)

    assert fault.met == 1
    faulted_bus.point.end_all()
    await faulted_bus.bus.publish(events[3:])  # a mark behind everything
    assert await faulted_bus.arrived(3) == [*events[:2], events[3]]


async def test_a_relay_that_tries_again_repairs_it(faulted_bus: FaultedBus) -> None:
    """Sent again as the contract of the bus asks, all arrive, each first time in order."""
    events = [event(n) for n in range(4)]
    faulted_bus.inject("bus_lose", target={"skip": 2, "first": 1})
    with pytest.raises(BusUnavailable):
        await faulted_bus.bus.publish(events)

    await faulted_bus.bus.publish(events)

    assert await faulted_bus.arrived(6) == [*events[:2], *events]


async def test_another_topic_is_left_alone(faulted_bus: FaultedBus) -> None:
    """The topic of the target is the blast radius."""
    fault = faulted_bus.inject("bus_lose", target={"topic": "transaction-events"})
    one = event(1)

    await faulted_bus.bus.publish([one])

    assert (await faulted_bus.arrived(1), fault.met) == ([one], 0)
