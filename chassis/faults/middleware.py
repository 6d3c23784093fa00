"""Faults in what a process answers, as ASGI middleware behind the one that observes.

Faults are asked in the order in which they were made, and the first one is the outermost: one that ends the
request leaves the later ones unasked.
"""

from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.faults.calls import Entry
from chassis.faults.effects import HttpEffect
from chassis.faults.exchange import Exchange
from chassis.faults.fault import ActiveFault
from chassis.faults.point import FaultPoint
from chassis.faults.targets import Asked, fits, is_spared


class FaultMiddleware:
    """Writes down what the process is asked, and does the faults that are in place to it."""

    def __init__(self, app: ASGIApp, *, point: FaultPoint) -> None:
        self._app = app
        self._point = point

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_spared(scope["path"]):
            await self._app(scope, receive, send)
            return
        asked = Asked.of(scope)
        clock = self._point.clock
        entry = self._point.calls.begin(
            scope["correlation_id"], asked.caller, asked.route, clock.monotonic()
        )

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        faults = tuple(
            fault for fault in self._point.http_faults if fits(fault.wanted.target, asked)
        )
        try:
            await self._through(faults, scope, entry, receive, noted)
        finally:
            entry.ended = clock.monotonic()

    async def _through(
        self,
        faults: tuple[ActiveFault, ...],
        scope: Scope,
        entry: Entry,
        receive: Receive,
        send: Send,
    ) -> None:
        for place, fault in enumerate(faults, 1):
            hit = fault.claim(entry.faults)
            if hit is None:
                continue
            effect = fault.effect
            if not isinstance(effect, HttpEffect) or (effect.of_body and scope["method"] == "HEAD"):
                hit.spare()
                continue
            exchange = Exchange(self._point.service, scope, receive, send)
            rest = partial(self._through, faults[place:], scope, entry)
            try:
                await effect.around(exchange, rest, hit)
            finally:
                hit.spare()
            return
        await self._app(scope, receive, send)
