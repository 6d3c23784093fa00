"""Faults in what a process publishes. Consuming is left alone: what arrives was decided by its publisher."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from chassis.bus.port import Bus, Consumer, QueueStats
from chassis.faults.effects import BusEffect
from chassis.faults.fault import ActiveFault
from chassis.faults.point import FaultPoint
from chassis.messages import Event


def faulty(bus: Bus, faults: FaultPoint | None) -> Bus:
    """`bus`, with the faults of the process done to it; `bus` itself where there is no fault point."""
    return bus if faults is None else FaultyBus(bus, faults)


class FaultyBus:
    """`Bus` over another one. It stands below the policies, as a broker's own faults do."""

    def __init__(self, bus: Bus, point: FaultPoint) -> None:
        self._bus = bus
        self._point = point
        point.publishes = True

    async def publish(self, events: Sequence[Event]) -> None:
        await self._through(self._point.bus_faults, events)

    async def _through(self, faults: tuple[ActiveFault, ...], events: Sequence[Event]) -> None:
        for place, fault in enumerate(faults, 1):
            if isinstance(fault.effect, BusEffect):

                async def rest(events: Sequence[Event], place: int = place) -> None:
                    await self._through(faults[place:], events)

                await fault.effect.publish(events, rest, fault)
                return
        await self._bus.publish(events)

    def consume(self, topic: str, group: str) -> AbstractAsyncContextManager[Consumer]:
        return self._bus.consume(topic, group)

    async def queue_stats(self) -> Sequence[QueueStats]:
        return await self._bus.queue_stats()

    async def ping(self) -> None:
        await self._bus.ping()

    async def close(self) -> None:
        await self._bus.close()
