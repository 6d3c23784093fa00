"""Duplicates come as the bus says that they may: behind the batch, in order, with the same id."""

from tests.chassis.events import event
from tests.chassis.faults.effects.conftest import FaultedBus


async def test_messages_come_again_in_order(faulted_bus: FaultedBus) -> None:
    """Each that is hit is delivered twice, and the first deliveries keep their order."""
    events = [event(n, f"key{n % 2}") for n in range(5)]
    fault = faulted_bus.inject("bus_duplicate", target={"skip": 1, "first": 2})

    await faulted_bus.bus.publish(events)

    assert await faulted_bus.arrived(7) == [*events, *events[1:3]]
    assert fault.met == 2


async def test_a_share_is_drawn(faulted_bus: FaultedBus) -> None:
    """`percent` is a chance of each message, drawn from the seed."""
    events = [event(n) for n in range(40)]
    fault = faulted_bus.inject("bus_duplicate", target={"percent": 25})

    await faulted_bus.bus.publish(events)

    assert 1 <= fault.met <= 25
    arrived = await faulted_bus.arrived(40 + fault.met)
    assert arrived[:40] == events
    assert len(arrived) == 40 + fault.met
