"""The fault point is in every process whose settings hold the token, and nothing of it in any other."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from chassis.bus.guarded import GuardedBus
from chassis.credentials import generate_keys
from chassis.faults.bus import FaultyBus
from chassis.faults.middleware import FaultMiddleware
from chassis.faults.point import FaultPoint
from chassis.metrics import Metrics
from chassis.policies import Policies
from chassis.process import Process
from chassis.settings import SERVICES, SettingsError, read_settings
from tests.asgi import serving
from tests.chassis.echo_service import running_echo
from tests.chassis.faults.faulted import TOKEN

MODULES = {name: f"services.{name}.app" for name in SERVICES} | {"gateway": "graphql_api.app"}
OPENED = {"BALUARTE_CHAOS_TOKEN": TOKEN}
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a process needs to be composed; nothing in it is reached."""
    generate_keys(tmp_path, SERVICES)
    nowhere = "postgresql://nobody@127.0.0.1:9/nothing"
    return {
        "BALUARTE_ENVIRONMENT": "test",
        "BALUARTE_STATE_DIR": str(tmp_path),
        "BALUARTE_KEYS_DIR": str(tmp_path),
        "BALUARTE_BUS_DATABASE_URL": nowhere,
        **{f"BALUARTE_{name.upper()}_DATABASE_URL": nowhere for name in SERVICES},
        **{f"BALUARTE_{name.upper()}_URLS": "http://127.0.0.1:9" for name in SERVICES},
    }


async def composed(name: str, environ: Mapping[str, str]) -> Starlette:
    app, _ = await importlib.import_module(MODULES[name]).compose(environ)
    assert isinstance(app, Starlette)
    return app


def stands_in(app: Starlette) -> bool:
    """Whether faults can reach the requests of the app."""
    classes: list[object] = [middleware.cls for middleware in app.user_middleware]
    return FaultMiddleware in classes


async def closed(app: Starlette) -> None:
    """Have the app close what it opened: start it, and stop it at once."""
    async with app.router.lifespan_context(app):
        pass


@pytest.mark.parametrize("name", SERVICES)
async def test_without_the_token_there_is_nothing_of_it(name: str, environ: dict[str, str]) -> None:
    """No route, no middleware, no server that can break connections: in every process."""
    app = await composed(name, environ)

    assert not [r for r in app.routes if isinstance(r, Route) and r.path.startswith("/chaos")]
    assert not stands_in(app)
    assert not hasattr(app.state, "fault_point")
    await closed(app)


@pytest.mark.parametrize("name", SERVICES)
async def test_with_the_token_it_is_everywhere(name: str, environ: dict[str, str]) -> None:
    """Routes and middleware are in place in every process, under the process' own name."""
    app = await composed(name, environ | OPENED)

    paths = {route.path for route in app.routes if isinstance(route, Route)}
    assert {"/chaos/faults", "/chaos/faults/{id}", "/chaos/calls"} <= paths
    assert stands_in(app)
    point: FaultPoint = app.state.fault_point
    assert (point.service, point.publishes) == (name, name != "gateway")
    await closed(app)


@pytest.mark.parametrize("told", [{}, OPENED])
async def test_the_bus_is_wrapped_only_with_the_token(
    environ: dict[str, str], told: dict[str, str]
) -> None:
    """Below the policies stands the broker's own adapter, unless faults are to reach it."""
    settings = read_settings(environ | told, "ledger", peers=("users",))
    module = importlib.import_module(MODULES["ledger"])
    process = Process(settings, Policies.open(settings, module.POLICY_FILE))

    assert isinstance(process.bus, GuardedBus)
    assert isinstance(process.bus._bus, FaultyBus) == bool(told)
    assert (process.faults is not None) == bool(told)
    await process.registry.close()


async def test_production_refuses_the_token(environ: dict[str, str]) -> None:
    """A process with production's settings does not start with it, unless it is said twice."""
    with pytest.raises(SettingsError, match="BALUARTE_CHAOS_IN_PRODUCTION"):
        await composed("gateway", environ | OPENED | {"BALUARTE_ENVIRONMENT": "production"})


async def test_without_the_token_the_address_does_not_exist(tmp_path: Path) -> None:
    """Asked over the wire, such a process has no fault point and no metric of one."""
    async with running_echo(tmp_path) as running:
        async with running.session.get(f"{running.url}/chaos/faults", headers=BEARER) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "NOT_FOUND")
        async with running.session.get(f"{running.url}/metrics") as answer:
            assert "chaos_" not in await answer.text()


async def test_the_gateway_breaks_connections_of_clients(environ: dict[str, str]) -> None:
    """A real gateway, through all that stands around its app: clients see a broken connection."""
    app = await composed("gateway", environ | OPENED)
    async with serving(app) as url, aiohttp.ClientSession(headers=BEARER) as session:
        order = {"type": "abort", "leaseSeconds": 60, "target": {"route": "/graphql", "first": 1}}
        async with session.post(f"{url}/chaos/faults", json=order) as answer:
            assert answer.status == 201, await answer.text()
        query = {"query": "{ __typename }"}
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(f"{url}/graphql", json=query)
        async with session.post(f"{url}/graphql", json=query) as answer:
            assert answer.status == 200
            assert json.loads(await answer.read())["data"] == {"__typename": "Query"}


def test_the_settings_decide(environ: dict[str, str]) -> None:
    """One place makes fault points: by the token alone."""
    for told in ({}, OPENED):
        settings = read_settings(environ | told, "users")
        assert (FaultPoint.of(settings, Metrics()) is not None) == bool(told)
