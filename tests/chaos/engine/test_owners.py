"""The owners as the engine speaks to them: a real proxy, a fault point and a supervisor in short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from chaos.engine.owners import appointed
from chaos.engine.plan import Action, make_plan
from chaos.engine.ports import FaultOwner, OwnerError
from chaos.owners import crew
from chaos.proxy import NewProxy, serving
from chaos.roster import Owner, OwnerKind, Roster
from chassis.faults.contract import Fault, Faults, Lease, NewFault
from tests.chaos.engine.fakes import SCENARIO, scenario

LINE = "  - {at: 0 s, for: 5 s, process: users, type: error, status: 503}\n"


def action(line: str) -> Action:
    (one,) = make_plan(scenario(SCENARIO.replace(LINE, f"  - {line}\n")), 5).actions
    return one


@asynccontextmanager
async def owned(kind: OwnerKind, url: str) -> AsyncIterator[FaultOwner]:
    owner = Owner(kind=kind, name=kind.value, url=url)
    roster = Roster(gateway="", supervisor_token="s", chaos_token="c", owners=(owner,))
    async with crew(roster) as owners:
        yield appointed(owners)[kind.value]


@asynccontextmanager
async def served(*routes: web.RouteDef) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()


async def through(address: str) -> None:
    """One connection with one exchange."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"x")
    assert await reader.read(1) == b"x"
    writer.close()
    await writer.wait_closed()


async def test_a_toxic_from_begin_to_end() -> None:
    """It is there, renewed, counts only what met it and not an earlier one, and goes; twice does no harm."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    slow = action("{for: 5 s, edge: users-postgres, type: latency, latency: 1 ms, percent: 100 %}")
    proxy = NewProxy(name="users-postgres", upstream=f"127.0.0.1:{port}")
    async with (
        server,
        serving([proxy], port=0) as proxies,
        owned(OwnerKind.PROXIES, proxies.url) as owner,
    ):
        edge = proxies.proxies.get("users-postgres")
        for _ in range(2):
            assert await owner.renew(slow, "run") is False
            await owner.begin(slow, "run")
            await through(str(edge.listen))
            assert await owner.renew(slow, "run") is True
            assert await owner.met(slow, "run") == 1
            assert [dose.experiment for dose in edge.doses] == ["run.1-latency-users-postgres"]
            assert await owner.end(slow, "run") is True
            assert await owner.end(slow, "run") is False
        with pytest.raises(OwnerError, match="proxy not found"):
            await owner.begin(action("{for: 5 s, edge: users-valkey, type: down}"), "run")


async def test_a_proxy_that_is_down() -> None:
    """Under a lease that can be renewed; somebody else's reset is noticed."""
    down = action("{for: 5 s, edge: users-postgres, type: down}")
    proxy = NewProxy(name="users-postgres", upstream="127.0.0.1:1")
    async with (
        serving([proxy], port=0) as proxies,
        owned(OwnerKind.PROXIES, proxies.url) as owner,
    ):
        await owner.begin(down, "run")
        assert not proxies.proxies.get("users-postgres").enabled
        assert await owner.renew(down, "run") is True
        assert await owner.met(down, "run") == 0
        assert await owner.end(down, "run") is True
        assert proxies.proxies.get("users-postgres").enabled
        assert await owner.renew(down, "run") is False


async def test_a_fault_point_is_spoken_to_by_its_contract() -> None:
    """What is posted is a `NewFault`, found again by the run's name, with the chaos token."""
    held: dict[str, Fault] = {}
    leases: list[float] = []

    def reply(value: Any, status: int = 200) -> web.Response:
        return web.Response(
            body=msgspec.json.encode(value), status=status, content_type="application/json"
        )

    async def post(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer c"
        new = msgspec.json.decode(await request.read(), type=NewFault)
        held["f1"] = Fault(id="f1", type=new.type, experiment=new.experiment, met=3)
        leases.append(new.lease_seconds)
        assert (new.target.percent, new.target.route, new.seed) == (30.0, "/v1/*", slow.seed)
        return reply(held["f1"], 201)

    async def lease(request: web.Request) -> web.Response:
        leases.append(msgspec.json.decode(await request.read(), type=Lease).lease_seconds)
        return reply(held["f1"])

    async def get(_: web.Request) -> web.Response:
        return reply(Faults(faults=tuple(held.values())))

    async def delete(request: web.Request) -> web.Response:
        return reply(held.pop(request.match_info["id"]))

    slow = action(
        "{for: 5 s, process: users, type: latency, seconds: 1, percent: 30 %, route: /v1/*}"
    )
    base = "/chaos/faults"
    routes = (
        web.post(base, post),
        web.get(base, get),
        web.post(base + "/{id}/lease", lease),
        web.delete(base + "/{id}", delete),
    )
    async with served(*routes) as url, owned(OwnerKind.PROCESS, url) as owner:
        assert await owner.end(slow, "run") is False
        await owner.begin(slow, "run")
        assert await owner.renew(slow, "run") is True
        assert await owner.renew(slow, "another run") is False
        assert await owner.met(slow, "run") == 3
        assert await owner.end(slow, "run") is True
        assert await owner.renew(slow, "run") is False
    assert leases == [10.0, 10.0]


async def test_a_process_without_a_fault_point() -> None:
    """404 is a refusal, and never an injected fault."""
    async with served() as url, owned(OwnerKind.PROCESS, url) as owner:
        with pytest.raises(OwnerError, match="FAULT_REFUSED"):
            await owner.begin(action(LINE.strip()[2:]), "run")


async def test_an_owner_that_is_gone() -> None:
    """Nobody listens: the error names the address."""
    async with owned(OwnerKind.SUPERVISOR, "http://127.0.0.1:1") as owner:
        with pytest.raises(OwnerError, match=r"127\.0\.0\.1:1"):
            await owner.begin(action("{part: users, type: kill}"), "run")


async def test_the_supervisor_is_told_part_kind_and_lease() -> None:
    """A hold under a lease that is renewed; a kill for no time; whose they are; refusals in its own words."""
    asked: list[Any] = []
    held: list[dict[str, Any]] = []

    async def post(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer s"
        asked.append(await request.json())
        if asked[-1]["part"] == "ledger":
            return web.json_response({"detail": "it is down"}, status=409)
        about = {"part": asked[-1]["part"], "kind": asked[-1]["kind"]}
        held.append(about | {"id": "7", "remainingSeconds": 10.0})
        return web.json_response(held[-1], status=201)

    async def get(_: web.Request) -> web.Response:
        return web.json_response({"faults": held})

    async def delete(_: web.Request) -> web.Response:
        return web.json_response(held.pop())

    async def lease(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response(held[-1])

    hold = action("{for: 5 s, part: users, type: hold_down}")
    late = action("{for: 5 s, part: users, type: slow_start, delay: 2 s}")
    routes = (
        web.post("/faults", post),
        web.get("/faults", get),
        web.delete("/faults/7", delete),
        web.post("/faults/7/lease", lease),
    )
    async with served(*routes) as url, owned(OwnerKind.SUPERVISOR, url) as owner:
        await owner.begin(hold, "run")
        assert await owner.renew(hold, "run") is True
        assert await owner.met(hold, "run") == 1
        assert await owner.end(hold, "run") is True
        assert await owner.renew(hold, "run") is False
        await owner.begin(action("{part: users, type: kill}"), "run")
        await owner.begin(late, "run")
        with pytest.raises(OwnerError, match="it is down"):
            await owner.begin(action("{part: ledger, type: kill}"), "run")
    assert asked[:4] == [
        {
            "part": "users",
            "kind": "hold_down",
            "seconds": 10.0,
            "experiment": "run.1-hold_down-users",
        },
        {"seconds": 10.0},
        {"part": "users", "kind": "kill", "experiment": "run.1-kill-users"},
        {
            "part": "users",
            "kind": "slow_start",
            "delay": 2.0,
            "seconds": 10.0,
            "experiment": "run.1-slow_start-users",
        },
    ]
