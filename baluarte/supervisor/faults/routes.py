"""The routes of the supervisor's API that inject faults and undo them.

`POST /faults {part, kind, seconds, delay, experiment}` answers 201 with the fault; `GET /faults` those in
place; `POST /faults/{id}/lease {seconds}` starts its lease anew; `DELETE /faults/{id}` undoes one;
`DELETE /faults` undoes all.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from baluarte.supervisor.api import problem
from baluarte.supervisor.faults import request as requests
from baluarte.supervisor.faults.desk import Desk
from baluarte.supervisor.faults.leases import Fault
from baluarte.supervisor.faults.refusal import Refused

_Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(desk: Desk) -> list[web.RouteDef]:
    """All of them, over `desk`; whoever serves them protects them."""

    def listed(faults: tuple[Fault, ...]) -> web.Response:
        return web.json_response({"faults": [desk.describe(fault) for fault in faults]})

    async def inject(request: web.Request) -> web.Response:
        names = [part.name for part in desk.parts()]
        fault = await desk.inject(requests.read(await request.read(), names))
        return web.json_response(desk.describe(fault), status=201)

    async def show(_: web.Request) -> web.Response:
        return listed(desk.faults)

    async def renew(request: web.Request) -> web.Response:
        seconds = requests.read_lease(await request.read())
        return web.json_response(desk.describe(await desk.renew(request.match_info["id"], seconds)))

    async def revert(request: web.Request) -> web.Response:
        return web.json_response(desk.describe(await desk.revert(request.match_info["id"])))

    async def revert_all(_: web.Request) -> web.Response:
        return listed(await desk.revert_all())

    return [
        web.post("/faults", _coded(inject)),
        web.get("/faults", _coded(show)),
        web.post("/faults/{id}/lease", _coded(renew)),
        web.delete("/faults/{id}", _coded(revert)),
        web.delete("/faults", _coded(revert_all)),
    ]


def _coded(handler: _Handler) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Refused as refused:
            return problem(refused.status, refused.code, refused.detail)

    return handle
