"""The handler runs, and its answer comes in drips."""

from typing import ClassVar

from starlette.types import Message

from chassis.faults.effects.effect import Handle, HttpEffect, Pause
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit

PIECES = 10
"""Pieces of a body: enough to keep an idle timeout of a tenth of the time from ending it."""


class SlowBody(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The head comes at once, the body in pieces over `seconds`. An answer without a body is spared."""

    kind: ClassVar[str] = "slow_body"
    of_body: ClassVar[bool] = True

    seconds: Pause

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:
        pauses = PIECES

        async def dripping(message: Message) -> None:
            nonlocal pauses
            body = message.get("body", b"")
            if not body or not pauses:
                await exchange.send(message)
                return
            hit.done()
            size = -(-len(body) // pauses)
            for start in range(0, len(body), size):
                await hit.pause(self.seconds / PIECES)
                pauses -= 1
                piece = body[start : start + size]
                await exchange.send({**message, "body": piece, "more_body": True})
            await exchange.send({**message, "body": b""})

        await handle(exchange.receive, dripping)
