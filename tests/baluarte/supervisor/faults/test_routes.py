"""Faults over the supervisor's API, as `baluarte chaos` and the engine ask for them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from baluarte.errors import BaluarteError
from baluarte.supervisor import api, client
from baluarte.supervisor.faults import Desk
from baluarte.supervisor.faults.routes import routes
from baluarte.supervisor.lifecycle import State
from baluarte.supervisor.occupancy import Address
from baluarte.supervisor.supervisor import StopRequest, Supervisor
from tests.baluarte.supervisor.parts import Heard, fake
from tests.waiting import eventually

TOKEN = "a-token"


@dataclass
class Served:
    supervisor: Supervisor
    session: aiohttp.ClientSession
    port: int

    async def ask(
        self, method: str, path: str, body: Any = None, token: str = TOKEN
    ) -> tuple[int, str, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.json(content_type=None)

    @property
    def address(self) -> Address:
        return Address(1, self.port, TOKEN)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    supervisor = Supervisor(tmp_path, Heard())
    desk = Desk(lambda: supervisor.parts, supervisor.say, supervisor.crashed)
    app = api.application(supervisor, TOKEN, routes(desk))
    async with (
        aiohttp.ClientSession() as session,
        desk.keeping(),
        api.serving(app, 0) as port,
    ):
        await supervisor.start([fake("one"), fake("two")])
        yield Served(supervisor, session, port)
        await supervisor.stop(StopRequest())


async def test_a_fault_is_made_shown_and_taken_back(served: Served) -> None:
    """201 with an id and when it ends; then in the list; then gone, one or all."""
    wanted = {"part": "one", "kind": "pause", "seconds": 60}
    status, _, fault = await served.ask("POST", "/faults", wanted)
    assert (status, fault["part"], fault["kind"]) == (201, "one", "pause")
    assert 55 < fault["remainingSeconds"] <= 60
    assert fault["endsAt"] > 1e9
    _, _, listed = await served.ask("GET", "/faults")
    assert [item["id"] for item in listed["faults"]] == [fault["id"]]
    lease = {"seconds": 300}
    status, _, renewed = await served.ask("POST", f"/faults/{fault['id']}/lease", lease)
    assert (status, renewed["id"]) == (200, fault["id"])
    assert renewed["remainingSeconds"] > 290
    status, _, gone = await served.ask("DELETE", f"/faults/{fault['id']}")
    assert (status, gone["id"]) == (200, fault["id"])
    slow = {"part": "two", "kind": "slow_start", "seconds": 60, "delay": 3}
    assert (await served.ask("POST", "/faults", slow))[2]["delay"] == 3
    status, _, switched = await served.ask("DELETE", "/faults")
    assert (status, len(switched["faults"])) == (200, 1)
    assert (await served.ask("GET", "/faults"))[2] == {"faults": []}


async def test_refusals_are_coded_problem_documents(served: Served) -> None:
    """Status, code and what to do, in the type that RFC 9457 names."""
    wanted = {"part": "one", "kind": "pause", "seconds": 60}
    await served.ask("POST", "/faults", wanted)
    for body, expected in (
        ({**wanted, "part": "nobody"}, (404, "PART_UNKNOWN")),
        ({**wanted, "part": "supervisor"}, (403, "SUPERVISOR_EXEMPT")),
        ({**wanted, "kind": "explode"}, (400, "FAULT_KIND_UNKNOWN")),
        ({**wanted, "seconds": 601}, (400, "FAULT_SECONDS_INVALID")),
        (wanted, (409, "FAULT_CONFLICT")),
    ):
        status, kind, problem = await served.ask("POST", "/faults", body)
        assert (status, problem["code"], problem["status"]) == (*expected, expected[0])
        assert kind == "application/problem+json"
    for method, path in (("DELETE", "/faults/none"), ("POST", "/faults/none/lease")):
        status, kind, problem = await served.ask(method, path, {"seconds": 5})
        assert (status, kind, problem["code"]) == (404, "application/problem+json", "FAULT_UNKNOWN")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/faults"),
        ("GET", "/faults"),
        ("DELETE", "/faults"),
        ("DELETE", "/faults/x"),
        ("POST", "/faults/x/lease"),
    ],
)
async def test_faults_are_for_the_owner_of_the_token(
    served: Served, method: str, path: str
) -> None:
    """Without it nothing is read and nothing is touched."""
    body = {"part": "one", "kind": "kill"}
    status, _, problem = await served.ask(method, path, body, "guess")
    assert (status, problem["code"]) == (401, "UNAUTHENTICATED")
    assert [part.state for part in served.supervisor.parts] == [State.READY] * 2


async def test_the_command_lines_client_tells_codes(served: Served) -> None:
    """What the API refuses is told with its code and its way out."""
    wanted = {"part": "one", "kind": "hold_down", "seconds": 60}
    fault = await asyncio.to_thread(client.ask, served.address, "POST", "/faults", wanted)
    assert fault["kind"] == "hold_down"
    with pytest.raises(BaluarteError) as refused:
        await asyncio.to_thread(client.ask, served.address, "POST", "/faults", wanted)
    assert refused.value.codes == ("FAULT_CONFLICT",)
    assert "DELETE /faults/" in str(refused.value)
    await asyncio.to_thread(client.ask, served.address, "DELETE", "/faults")
    await eventually(lambda: served.supervisor.parts[0].state is State.READY, 20)


async def test_without_chaos_there_are_no_such_routes(tmp_path: Path) -> None:
    """Not refused but absent, and the command line says how to get them."""
    supervisor = Supervisor(tmp_path, Heard())
    app = api.application(supervisor, TOKEN)
    async with api.serving(app, 0) as port:
        address = Address(1, port, TOKEN)
        for method in ("GET", "POST", "DELETE"):
            with pytest.raises(BaluarteError) as refused:
                await asyncio.to_thread(client.ask, address, method, "/faults")
            assert refused.value.codes == ("CHAOS_OFF",)
        assert "faults" not in (await asyncio.to_thread(client.fetch_state, address))
    await supervisor.stop(StopRequest())
