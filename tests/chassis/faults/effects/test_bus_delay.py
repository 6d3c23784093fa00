"""A late batch is whole and in order, and nothing of it is sent early."""

import asyncio

import pytest

from resilience.testing import FakeClock
from tests.chassis.events import event
from tests.chassis.faults.effects.conftest import FaultedBus
from tests.waiting import eventually


async def test_the_batch_waits_as_a_whole(faulted_bus: FaultedBus, clock: FakeClock) -> None:
    """Not confirmed before the time is over, and then as it was."""
    events = [event(n) for n in range(3)]
    fault = faulted_bus.inject("bus_delay", seconds=2, target={"skip": 1, "first": 1})
    publishing = asyncio.create_task(faulted_bus.bus.publish(events))
    await eventually(lambda: fault.met == 1)
    await clock.advance(1.9)
    assert not publishing.done()

    await clock.advance(0.1)
    await publishing

    assert await faulted_bus.arrived(3) == events


async def test_a_publisher_that_gives_up_has_sent_nothing(
    faulted_bus: FaultedBus, clock: FakeClock
) -> None:
    """A timeout during the delay is a definite one."""
    fault = faulted_bus.inject("bus_delay", seconds=2)
    publishing = asyncio.create_task(faulted_bus.bus.publish([event(1)]))
    await eventually(lambda: fault.met == 1)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing

    faulted_bus.point.end_all()
    mark = event(2)
    await faulted_bus.bus.publish([mark])

    assert await faulted_bus.arrived(1) == [mark]
