"""A message is delivered twice, as the bus says that it may be."""

from collections.abc import Sequence
from typing import ClassVar

from chassis.faults.effects.effect import BusEffect, Publish
from chassis.faults.fault import ActiveFault
from chassis.faults.targets import claims, settling
from chassis.messages import Event


class BusDuplicate(BusEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages that are hit are sent again behind their batch, in order, as after a crash of the relay.

    It breaks no promise of the bus (at least once, in order the first time): consumers must bear it.
    """

    kind: ClassVar[str] = "bus_duplicate"

    async def publish(self, events: Sequence[Event], publish: Publish, fault: ActiveFault) -> None:
        hits = claims(fault, events)
        with settling(hits.values()):
            await publish([*events, *(events[place] for place in hits)])
