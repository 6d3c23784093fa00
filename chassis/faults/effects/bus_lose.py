"""A message does not reach the bus, and its publisher is told so."""

from collections.abc import Sequence
from typing import ClassVar

from chassis.bus.port import BusUnavailable
from chassis.faults.effects.effect import BusEffect, Publish
from chassis.faults.fault import ActiveFault
from chassis.faults.targets import claim
from chassis.messages import Event


class BusLose(BusEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first message of a batch that is hit, and those behind it, are not sent: `BusUnavailable`.

    Those before it are, as when the connection breaks in between, so that the order per key holds.
    """

    kind: ClassVar[str] = "bus_lose"

    async def publish(self, events: Sequence[Event], publish: Publish, fault: ActiveFault) -> None:
        for place, event in enumerate(events):
            hit = claim(fault, event)
            if hit is not None:
                if place:
                    await publish(events[:place])
                hit.done()
                raise BusUnavailable(f"Lost on purpose, by fault {fault.id}.")
        await publish(events)
