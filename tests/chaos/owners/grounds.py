"""Owners of faults as they are, each served on a free port, and a roster that names them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette

from baluarte.supervisor import api
from baluarte.supervisor.faults import Desk
from baluarte.supervisor.faults.routes import routes as desk_routes
from baluarte.supervisor.supervisor import StopRequest, Supervisor
from chaos.owners import Crew, crew
from chaos.proxy import NewProxy, serving
from chaos.roster import Owner, OwnerKind, Roster
from chassis.faults.point import FaultPoint
from chassis.faults.routes import routes as point_routes
from chassis.metrics import Metrics
from chassis.settings import Secret
from tests import asgi
from tests.baluarte.supervisor.parts import Heard, fake

SUPERVISOR_TOKEN = "the-supervisors-token"
CHAOS_TOKEN = "the-chaos-token-of-all"
NOBODY = "http://127.0.0.1:1"
EDGES = ("gateway-users", "users-postgres")


def roster_of(**urls: str) -> Roster:
    """With the owners at these URLs; `supervisor` and `proxies` are themselves, others processes."""
    kinds = {"supervisor": OwnerKind.SUPERVISOR, "proxies": OwnerKind.PROXIES}
    owners = tuple(
        Owner(kind=kinds.get(name, OwnerKind.PROCESS), name=name, url=url)
        for name, url in urls.items()
    )
    return Roster(
        gateway=NOBODY,
        supervisor_token=SUPERVISOR_TOKEN,
        chaos_token=CHAOS_TOKEN,
        owners=owners,
    )


@contextlib.asynccontextmanager
async def a_supervisor(state: Path, *parts: str) -> AsyncIterator[str]:
    """One with these parts, under `--chaos`; its URL."""
    supervisor = Supervisor(state, Heard())
    desk = Desk(lambda: supervisor.parts, supervisor.say, supervisor.crashed)
    app = api.application(supervisor, SUPERVISOR_TOKEN, desk_routes(desk))
    async with desk.keeping(), api.serving(app, 0) as port:
        try:
            await supervisor.start([fake(part) for part in parts])
            yield f"http://127.0.0.1:{port}"
        finally:
            await supervisor.stop(StopRequest())


@contextlib.asynccontextmanager
async def a_process(name: str) -> AsyncIterator[tuple[str, FaultPoint]]:
    """One with a fault point; its URL, and the point."""
    point = FaultPoint(name, Secret(CHAOS_TOKEN), Metrics())
    async with asgi.serving(Starlette(routes=point_routes(point))) as url:
        yield url, point
    await point.close()


@contextlib.asynccontextmanager
async def some_proxies() -> AsyncIterator[str]:
    """The fault proxies, with `EDGES`; their URL."""
    made = [NewProxy(name=name, upstream="127.0.0.1:9") for name in EDGES]
    async with serving(made, port=0) as server:
        yield server.url


@contextlib.asynccontextmanager
async def crew_of(**urls: str) -> AsyncIterator[Crew]:
    """Clients of the owners at these URLs."""
    async with crew(roster_of(**urls)) as found:
        yield found
