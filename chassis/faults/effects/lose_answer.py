"""The handler does its work, and nobody hears of it."""

from typing import ClassVar

from starlette.types import Message

from chassis.faults.effects.effect import Handle, HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit


class LoseAnswer(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The handler runs to its end, commits included; then the connection is reset without an answer."""

    kind: ClassVar[str] = "lose_answer"

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:
        async def swallow(_: Message) -> None: ...

        await handle(exchange.receive, swallow)
        hit.done()
        await exchange.reset()
