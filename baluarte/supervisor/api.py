"""The supervisor's API on loopback, for `baluarte status` and its like: token-protected, read-only.

`GET /state` answers how every part is; `GET /logs?part=&correlationId=&last=` answers log entries.
`GET /metrics` is for Prometheus, and the one route without the token: it says no more than which parts
there are and how they are.
More routes can be handed to `application`, which protects them with the same token: with `--chaos`
those of `faults/routes.py`. The console (`baluarte/console/`) has a guard of its own.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

from aiohttp import web

from baluarte.embedded.ports import LOOPBACK
from baluarte.supervisor import logfiles
from baluarte.supervisor.measures import Measures
from baluarte.supervisor.supervisor import Supervisor

_MOST_ENTRIES = 10_000  # in one answer: what fits a screen many times over
_USUAL_ENTRIES = 200

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(
    supervisor: Supervisor,
    token: str,
    more_routes: Sequence[web.RouteDef] = (),
    guarded: Mapping[str, web.Application] = MappingProxyType({}),
) -> web.Application:
    """The API over `supervisor`; all but `/metrics` want `Authorization: Bearer <token>`.

    Args:
        guarded: applications with guards of their own, by the path that they are below.
    """

    apart = frozenset(guarded.values())

    @web.middleware
    async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Asked of the router and not of the path: there is one opinion on what a path means.
        own_guard = any(app in apart for app in request.match_info.apps)
        if own_guard or request.path == "/metrics":
            return await handler(request)
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return problem(401, "UNAUTHENTICATED", "the supervisor's token is missing or wrong")
        return await handler(request)

    async def state(_: web.Request) -> web.Response:
        return web.json_response(supervisor.snapshot())

    async def logs(request: web.Request) -> web.Response:
        try:
            last = min(int(request.query.get("last", _USUAL_ENTRIES)), _MOST_ENTRIES)
        except ValueError:
            return problem(400, "INVALID_INPUT", "last is not a whole number")
        wanted = request.query.getall("part", [])
        if unknown := set(wanted) - set(logfiles.parts(supervisor.logs)):
            return problem(404, "PART_UNKNOWN", f"no logs of {', '.join(sorted(unknown))}")
        found = await asyncio.to_thread(
            lambda: logfiles.entries(
                supervisor.logs,
                wanted,
                correlation_id=request.query.get("correlationId"),
                last=last,
            )
        )
        return web.json_response({"entries": found})

    measures = Measures(supervisor.snapshot)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = measures.page(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application(middlewares=[protect])
    told = (("/state", state), ("/logs", logs), ("/metrics", metrics))
    for path, mounted in guarded.items():
        app.add_subapp(path, mounted)
    app.add_routes([*(web.get(path, handler) for path, handler in told), *more_routes])
    return app


def problem(status: int, code: str, detail: str) -> web.Response:
    """A coded refusal, as a problem document (RFC 9457)."""
    body = {"status": status, "code": code, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[int]:
    """Serve `app` on loopback; gives the port, which is chosen when 0 was asked."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
