"""The handler runs, and its answer is cut off."""

from typing import Annotated, ClassVar

import msgspec
from starlette.types import Message

from chassis.faults.effects.effect import Handle, HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import Hit

HALF = 0.5


class Truncate(HttpEffect, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first `bytes`, or the first `share` (half, unless said), of the body; then the connection ends.

    At least one byte is missing. An answer without a body is spared.
    """

    kind: ClassVar[str] = "truncate"
    of_body: ClassVar[bool] = True

    bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    share: Annotated[float, msgspec.Meta(ge=0, lt=1)] | None = None

    def __post_init__(self) -> None:
        if self.bytes is not None and self.share is not None:
            raise ValueError("give `bytes` or `share`, not both")

    async def around(self, exchange: Exchange, handle: Handle, hit: Hit) -> None:
        left: int | None = None
        cut = False

        async def cutting(message: Message) -> None:
            nonlocal left, cut
            if message["type"] == "http.response.start":
                left = self._kept(_length(message))
                await exchange.send(message)
                return
            body = message.get("body", b"")
            if left is None:  # an answer that did not say how long it is
                left = self._kept(len(body))
            if cut:
                return
            if left is None or len(body) <= left:
                left = None if left is None else left - len(body)
                await exchange.send(message)
                return
            cut = True
            hit.done()
            await exchange.send({**message, "body": body[:left], "more_body": True})

        await handle(exchange.receive, cutting)
        if cut:
            await exchange.hang_up()

    def _kept(self, total: int) -> int | None:
        """Bytes that are sent of `total`; None when there is nothing to cut."""
        if total == 0:
            return None
        if self.bytes is not None:
            return min(self.bytes, total - 1)
        return int(total * (HALF if self.share is None else self.share))


def _length(start: Message) -> int:
    """What the head says of the body's length; 0 when it does not."""
    for name, value in start.get("headers", ()):
        if name.lower() == b"content-length":
            return int(value)
    return 0
