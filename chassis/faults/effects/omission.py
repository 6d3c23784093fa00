"""No answer ever comes, and nothing is done."""

import asyncio
from typing import ClassVar

from chassis.faults.contract import MAX_LEASE_SECONDS
from chassis.faults.effects.effect import Handle, HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit


class Omission(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The connection stays open and silent until the client gives up; the handler does not run.

    What still waits when the fault ends is reset, and so is what comes when `HELD_LIMIT` wait already.
    """

    kind: ClassVar[str] = "omission"

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:  # noqa: ARG002
        hit.done()
        if not hit.room.locked():
            async with hit.room:
                waits = asyncio.create_task(hit.pause(MAX_LEASE_SECONDS))
                leaves = asyncio.create_task(exchange.gone())
                try:
                    await asyncio.wait({waits, leaves}, return_when=asyncio.FIRST_COMPLETED)
                    if leaves.done():
                        return
                finally:
                    for task in (waits, leaves):
                        task.cancel()
                    await asyncio.gather(waits, leaves, return_exceptions=True)
        await exchange.reset()
