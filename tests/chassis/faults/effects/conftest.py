"""Both buses, as `tests/chassis/bus` opens them, behind a fault point."""

from dataclasses import dataclass
from typing import Any

import pytest

from chassis.bus.port import Bus
from chassis.faults.bus import FaultyBus
from chassis.faults.contract import NewFault, Target
from chassis.faults.fault import ActiveFault
from chassis.faults.point import FaultPoint
from chassis.messages import USER_EVENTS, Event
from resilience.testing import FakeClock
from tests.chassis.bus.conftest import bus, maker, open_bus, rabbit_url
from tests.chassis.bus.test_contract import receive_at_least
from tests.chassis.faults.faulted import new_point

__all__ = ["bus", "maker", "open_bus", "rabbit_url"]


@dataclass
class FaultedBus:
    """A bus with faults, and what arrives from it."""

    bus: FaultyBus
    point: FaultPoint

    def inject(self, type_: str, *, seed: int = 7, **attributes: Any) -> ActiveFault:
        """Put a fault in place; `target` may be among the attributes."""
        target = Target(**attributes.pop("target", {}))
        wanted = NewFault(
            type=type_, attributes=attributes, target=target, lease_seconds=60, seed=seed
        )
        return self.point.add(wanted)

    async def arrived(self, count: int) -> list[Event]:
        """The first `count` deliveries and whatever is there besides, in order, without acknowledging."""
        async with self.bus.consume(USER_EVENTS, "ledger") as consumer:
            return [one.event for one in await receive_at_least(consumer, count)]


@pytest.fixture
def faulted_bus(bus: Bus, clock: FakeClock) -> FaultedBus:
    """Either bus, on a broker of its own, with a fault point before it."""
    point = new_point(clock=clock)
    return FaultedBus(FaultyBus(bus, point), point)
