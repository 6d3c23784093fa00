"""Messages reach the bus late."""

from collections.abc import Sequence
from typing import ClassVar

from chassis.faults.effects.effect import BusEffect, Pause, Publish
from chassis.faults.fault import ActiveFault
from chassis.faults.targets import claims
from chassis.messages import Event


class BusDelay(BusEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch with a message that is hit waits for `seconds` as a whole, which keeps its order.

    Nothing is sent before the time is over, so a publisher that gives up earlier has sent nothing.
    """

    kind: ClassVar[str] = "bus_delay"

    seconds: Pause

    async def publish(self, events: Sequence[Event], publish: Publish, fault: ActiveFault) -> None:
        hits = claims(fault, events)
        for hit in hits.values():
            hit.done()
        if hits:
            await fault.pause(self.seconds)
        await publish(events)
