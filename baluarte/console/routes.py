"""The console's routes below `/console`, an application of its own within the supervisor's.

`GET /console` and the files of the page are for everybody on this machine: they say nothing of the
platform. `POST /console/tickets` wants the token as a bearer's (`baluarte console`), `POST /console/session`
exchanges a token or a ticket for a cookie, and everything else wants that cookie.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from baluarte import kill_switch
from baluarte.console import slow
from baluarte.console.access import SESSION_SECONDS, TICKET_SECONDS, Access
from baluarte.console.collector import Collector
from baluarte.console.gate import armour, gate
from baluarte.console.names import PREFIX
from baluarte.console.stream import Stream
from baluarte.errors import BaluarteError
from baluarte.supervisor.api import problem

PAGE: Final = Path(__file__).with_name("page")

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_MAX_BODY: Final = 1024
"""Of what signs in: a token."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def cookie_name(port: int) -> str:
    """Browsers keep cookies by host alone: two consoles on one machine must not sign each other out."""
    return f"baluarte_console_{port}"


class Console:
    """The application, over what knows and what is known.

    Args:
        state: the state directory.
        port: of the supervisor.
    """

    def __init__(self, state: Path, port: int, access: Access, collector: Collector) -> None:
        self._state = state
        self._cookie = cookie_name(port)
        self._access = access
        self._stream = Stream(collector)
        collector.publish = self._stream.publish
        self._searching = asyncio.Lock()
        self._stopping = asyncio.Lock()

    def application(self) -> web.Application:
        """To be mounted at `PREFIX`."""
        app = web.Application(middlewares=[gate])
        app.on_response_prepare.append(armour)
        app.on_shutdown.append(self._stream.close)
        app.add_routes([*_files(), *self._routes()])
        return app

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.post("/tickets", self._draw_ticket),
            web.get("/session", self._tell_session),
            web.post("/session", self._sign_in),
            web.delete("/session", self._sign_out),
            web.get("/stream", self._signed_in(self._follow), allow_head=False),
            web.get("/requests/{id}", self._signed_in(self._tell_story)),
            web.post("/stop", self._signed_in(self._stop)),
        ]

    def _session(self, request: web.Request) -> str:
        return request.cookies.get(self._cookie, "")

    def _signed_in(self, handler: _Handler) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if not self._access.knows(self._session(request)):
                return _unauthenticated("sign in first: `baluarte console` shows how")
            return await handler(request)

        return handle

    async def _draw_ticket(self, request: web.Request) -> web.Response:
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._access.is_token(shown):
            return _unauthenticated("the console's token is missing or wrong")
        return web.json_response(
            {"ticket": self._access.ticket(), "expiresInSeconds": TICKET_SECONDS}
        )

    async def _tell_session(self, request: web.Request) -> web.Response:
        """For the page, which cannot see its cookie, and is told nothing by a stream that is refused."""
        signed_in = self._access.knows(self._session(request))
        return web.json_response({"signedIn": signed_in, "full": signed_in and self._stream.full})

    async def _sign_in(self, request: web.Request) -> web.Response:
        if request.content_length is None or request.content_length > _MAX_BODY:
            return problem(413, "INVALID_INPUT", f"the body has more than {_MAX_BODY} bytes")
        try:
            shown = json.loads(await request.read())["secret"]
        except (ValueError, KeyError, TypeError):
            shown = None
        if not isinstance(shown, str):
            return problem(400, "INVALID_INPUT", 'the body is not {"secret": "…"}')
        session = self._access.admit(shown)
        if session is None:
            return _unauthenticated(
                "that is no token of this console, and no link that still works"
            )
        answer = web.Response(status=204)
        answer.set_cookie(
            self._cookie,
            session,
            path=PREFIX,
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="Strict",
        )
        return answer

    async def _sign_out(self, request: web.Request) -> web.Response:
        self._access.leave(self._session(request))
        answer = web.Response(status=204)
        answer.del_cookie(self._cookie, path=PREFIX, httponly=True, samesite="Strict")
        return answer

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        if self._stream.full:
            return problem(503, "TOO_MANY_VIEWERS", "close another page of this console first")
        session = self._session(request)
        return await self._stream.serve(request, lambda: self._access.knows(session))

    async def _tell_story(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        if not slow.CORRELATION_ID.fullmatch(wanted):
            return problem(400, "INVALID_INPUT", "that is no correlation id")
        async with self._searching:  # one at a time: it reads every log
            lines = await asyncio.to_thread(slow.story, self._state / "logs", wanted)
        return web.json_response({"lines": lines})

    async def _stop(self, _: web.Request) -> web.Response:
        """The kill switch: what `baluarte chaos stop` runs."""
        said: list[str] = []
        async with self._stopping:
            try:
                # On a thread, since it asks this very process among others, and waits.
                await asyncio.to_thread(kill_switch.stop, self._state, said.append)
            except BaluarteError as error:
                first = error.problems[0]
                return problem(
                    409, first.code, "; ".join((*said, f"{first.what}; {first.way_out}"))
                )
        return web.json_response({"said": said})


def _unauthenticated(detail: str) -> web.Response:
    return problem(401, "UNAUTHENTICATED", detail)


def _files() -> list[web.RouteDef]:
    """The page, read once: no path of anybody's is looked up on the disk."""
    found: list[web.RouteDef] = []
    for path in sorted(PAGE.iterdir()):
        if path.suffix in _TYPES:
            route = "" if path.name == "index.html" else f"/{path.name}"
            found.append(web.get(route, _file(path.read_bytes(), _TYPES[path.suffix])))
    return found


def _file(content: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def show(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return show
