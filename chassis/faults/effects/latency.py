"""The request arrives late."""

from typing import Annotated, ClassVar

import msgspec

from chassis.faults.contract import MAX_LEASE_SECONDS
from chassis.faults.effects.effect import Handle, HttpEffect, Pause
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit


class Latency(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seconds` ± `jitter` pass before the handler runs.

    The handler runs even if the client has given up by then, as it would behind a slow network. The
    caller's `Deadline-Ms` counts from when the handler begins, so the callee does not know of the delay.
    """

    kind: ClassVar[str] = "latency"

    seconds: Pause
    jitter: Annotated[float, msgspec.Meta(ge=0, le=MAX_LEASE_SECONDS)] = 0.0

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:
        receive = await exchange.buffered()
        hit.done()
        await hit.pause(self.seconds + hit.noise.uniform(-self.jitter, self.jitter))
        await handle(receive, exchange.send)
