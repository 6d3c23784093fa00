"""A message reaches the bus, and its publisher is told that it may not have."""

from collections.abc import Sequence
from typing import ClassVar

from chassis.bus.port import BusUnavailable
from chassis.faults.effects.effect import BusEffect, Publish
from chassis.faults.fault import ActiveFault
from chassis.faults.targets import claims, settling
from chassis.messages import Event


class BusLoseConfirm(BusEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole batch is sent; when any message of it is hit, the publisher gets `BusUnavailable`."""

    kind: ClassVar[str] = "bus_lose_confirm"

    async def publish(self, events: Sequence[Event], publish: Publish, fault: ActiveFault) -> None:
        hits = claims(fault, events)
        with settling(hits.values()):
            await publish(events)
        if hits:
            raise BusUnavailable(f"Confirmation lost on purpose, by fault {fault.id}.")
