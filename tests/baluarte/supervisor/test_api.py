"""The supervisor's API: for the owner of the token alone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from baluarte.errors import BaluarteError
from baluarte.supervisor import api, client, logfiles
from baluarte.supervisor.lifecycle import Tell
from baluarte.supervisor.occupancy import Address
from baluarte.supervisor.supervisor import StopRequest, Supervisor
from tests.baluarte.supervisor.parts import fake

TOKEN = "a-token"


@dataclass
class Served:
    supervisor: Supervisor
    session: aiohttp.ClientSession
    port: int

    async def get(self, path: str, token: str = TOKEN) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.get(url, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


def quiet(part: str, message: Tell) -> None:
    """Nobody listens."""


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async def extra(_: web.Request) -> web.Response:
        return web.json_response({"extra": True})

    supervisor = Supervisor(tmp_path, quiet)
    app = api.application(supervisor, TOKEN, [web.get("/extra", extra)])
    async with aiohttp.ClientSession() as session, api.serving(app, 0) as port:
        yield Served(supervisor, session, port)
        await supervisor.stop(StopRequest())


@pytest.mark.parametrize("path", ["/state", "/logs", "/extra", "/nowhere"])
async def test_every_route_wants_the_token(served: Served, path: str) -> None:
    """Also those that were added, and those that do not exist."""
    status, body = await served.get(path, "guess")
    assert (status, body["code"]) == (401, "UNAUTHENTICATED")
    status, body = await served.get(path, "")
    assert status == 401


async def test_state_shows_each_part(served: Served) -> None:
    """Name, state, pid, restarts, uptime and address, as `baluarte status` wants them."""
    await served.supervisor.start([fake("one")])
    _, body = await served.get("/state")
    [part] = body["parts"]
    assert (part["name"], part["state"], part["restarts"]) == ("one", "ready", 0)
    assert part["pid"] == served.supervisor.parts[0].pid
    assert part["uptimeSeconds"] >= 0
    assert part["url"].startswith("http://127.0.0.1:")


async def test_logs_are_filtered(served: Served) -> None:
    """By part, by correlation id, by number; what is wrong is told with a code."""
    log = logfiles.LogFile(served.supervisor.logs / "users.log", "users")
    for number in range(5):
        log.say(f"event {number}", correlationId=f"c{number % 2}")
    log.finish()
    _, body = await served.get("/logs?part=users&correlationId=c1&last=1")
    assert [entry["event"] for entry in body["entries"]] == ["event 3"]
    assert (await served.get("/logs?part=nobody"))[1]["code"] == "PART_UNKNOWN"
    assert (await served.get("/logs?part=../secrets/x"))[1]["code"] == "PART_UNKNOWN"
    assert (await served.get("/logs?last=many"))[1]["code"] == "INVALID_INPUT"


async def test_more_routes_can_be_added(served: Served) -> None:
    """With the token they answer."""
    assert (await served.get("/extra")) == (200, {"extra": True})


async def test_the_command_line_s_client(served: Served) -> None:
    """It reads the state, and says so when nobody answers."""
    address = Address(1, served.port, TOKEN)
    state = await asyncio.to_thread(client.fetch_state, address)
    assert state["parts"] == []
    with pytest.raises(BaluarteError) as silent:
        await asyncio.to_thread(client.fetch_state, Address(1, 1, TOKEN))
    assert silent.value.codes == ("SUPERVISOR_SILENT",)
