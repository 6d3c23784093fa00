"""The bus of a process with a fault point: the same bus, but for what is published."""

from collections.abc import Sequence

import pytest

from chassis.bus.port import BusUnavailable
from chassis.faults.bus import FaultyBus, faulty
from chassis.faults.contract import NewFault
from chassis.messages import Event
from tests.chassis.bus.test_guarded import Inner
from tests.chassis.events import event
from tests.chassis.faults.faulted import new_point


class Listening(Inner):
    """A bus that notes what is published."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.batches: list[Sequence[Event]] = []

    async def publish(self, events: Sequence[Event]) -> None:
        await super().publish(events)
        self.batches.append(events)


async def test_without_a_fault_point_it_is_the_bus_itself() -> None:
    """No wrapper stands in the way of a platform that is not to be broken."""
    inner = Listening()

    assert faulty(inner, None) is inner


async def test_without_a_fault_everything_goes_through() -> None:
    """Batches are handed on as they are, and so is the rest."""
    inner = Listening()
    bus = FaultyBus(inner, new_point())
    events = [event(1)]

    await bus.publish(events)
    bus.consume("user-events", "ledger")
    await bus.ping()
    assert await bus.queue_stats() == ()
    await bus.close()

    assert inner.batches == [events]
    assert inner.asked == ["publish", "consume user-events ledger", "ping", "close"]


async def test_several_faults_act_one_after_the_other() -> None:
    """The first one made is outermost: what it lets through meets the next one."""
    inner, point = Listening(), new_point()
    bus = FaultyBus(inner, point)
    for type_ in ("bus_lose_confirm", "bus_duplicate"):
        point.add(NewFault(type=type_, lease_seconds=60))
    one = event(1)

    with pytest.raises(BusUnavailable):
        await bus.publish([one])

    assert inner.batches == [[one, one]]
    assert [fault.met for fault in point.faults] == [1, 1]
