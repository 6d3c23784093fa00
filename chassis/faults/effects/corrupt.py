"""The handler runs, and its answer arrives damaged."""

import random
from typing import Annotated, ClassVar

import msgspec
from starlette.types import Message

from chassis.faults.effects.effect import Handle, HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit

_TOP_BIT = 0x80


class Corrupt(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The top bit of `bytes` bytes of the body is flipped: of the first one, and of others that are drawn.

    No JSON document begins with a byte above 0x7F, so whoever decodes the answer notices. Damage that
    still parses could only be told by a checksum, which HTTP has not. An answer without a body is spared.
    """

    kind: ClassVar[str] = "corrupt"
    of_body: ClassVar[bool] = True

    bytes: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:
        async def damaging(message: Message) -> None:
            body = message.get("body", b"")
            if body and not hit.was_done:
                hit.done()
                message = {**message, "body": _damaged(body, self.bytes, hit.noise)}
            await exchange.send(message)

        await handle(exchange.receive, damaging)


def _damaged(body: bytes, count: int, noise: random.Random) -> bytes:
    damaged = bytearray(body)
    for place in {0, *noise.choices(range(len(body)), k=count - 1)}:
        damaged[place] ^= _TOP_BIT
    return bytes(damaged)
