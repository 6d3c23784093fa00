"""Later messages arrive before earlier ones.

The bus promises an order per key and none across keys. `within: key` breaks just this promise; `within:
topic` mixes keys, which consumers must bear even from a bus that keeps its promises. Nothing is lost: a
message is either confirmed and stored, or not confirmed.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec

from chassis.bus.port import BusUnavailable
from chassis.faults.effects.effect import BusEffect, Publish
from chassis.faults.fault import ActiveFault
from chassis.faults.targets import claims, settling
from chassis.messages import Event

_GATHERED = "gathered"


class BusReorder(BusEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages of a batch that are hit and belong together arrive in the reverse order.

    A batch with nothing to swap is held back for `gather` seconds and then told to be unconfirmed, so that
    the relay comes again with more; if there is still nothing to swap, it passes and does not count.
    """

    kind: ClassVar[str] = "bus_reorder"

    within: Literal["key", "topic"] = "key"
    gather: Annotated[float, msgspec.Meta(ge=0, le=4)] = 0.5
    """At most less than the policies of the bus allow a publish (4.5 s)."""

    async def publish(self, events: Sequence[Event], publish: Publish, fault: ActiveFault) -> None:
        hits = claims(fault, events)
        together: dict[str, list[int]] = {}
        for place in hits:
            event = events[place]
            together.setdefault(event.key if self.within == "key" else event.topic, []).append(
                place
            )
        order = list(events)
        for places in together.values():
            for place, other in zip(places, reversed(places), strict=True):
                order[place] = events[other]
            if len(places) < 2:
                hits.pop(places[0]).spare()
        if together and not hits:
            await self._gather(fault)
        with settling(hits.values()):
            await publish(order)
        fault.scratch[_GATHERED] = False

    async def _gather(self, fault: ActiveFault) -> None:
        """Have the relay come again with more, but not twice in a row."""
        if self.gather and not fault.scratch.get(_GATHERED, False):
            fault.scratch[_GATHERED] = True
            await fault.pause(self.gather)
            raise BusUnavailable(f"Held back on purpose, by fault {fault.id}.")
