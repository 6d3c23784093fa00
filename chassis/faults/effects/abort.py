"""The connection breaks, and nothing is done."""

from typing import ClassVar

from chassis.faults.effects.effect import Handle, HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit


class Abort(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The client's connection is reset without an answer; the handler does not run."""

    kind: ClassVar[str] = "abort"

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:  # noqa: ARG002
        hit.done()
        await exchange.reset()
