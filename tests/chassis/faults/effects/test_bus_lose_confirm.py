"""A message whose confirmation was lost has arrived, and its publisher does not know."""

import pytest

from chassis.bus.port import BusUnavailable
from chassis.faults.fault import ActiveFault
from tests.chassis.events import event
from tests.chassis.faults.effects.conftest import FaultedBus
from tests.chassis.faults.faulted import active


async def test_sent_and_told_to_be_unconfirmed(faulted_bus: FaultedBus) -> None:
    """The whole batch is there, and the publisher must assume that it is not."""
    events = [event(n) for n in range(3)]
    fault = faulted_bus.inject("bus_lose_confirm", target={"first": 1})

    with pytest.raises(BusUnavailable, match="on purpose"):
        await faulted_bus.bus.publish(events)

    assert await faulted_bus.arrived(3) == events
    assert fault.met == 1


async def test_what_the_bus_refused_itself_does_not_count() -> None:
    """A real outage leaves `first` untouched and is told as it is: the fault was not done."""
    fault: ActiveFault = active("bus_lose_confirm", first=1)

    async def down(_: object) -> None:
        raise BusUnavailable("really")

    with pytest.raises(BusUnavailable, match="really"):
        await fault.effect.publish([event(1)], down, fault)  # type: ignore[attr-defined]

    assert fault.met == 0
    assert fault.claim() is not None
