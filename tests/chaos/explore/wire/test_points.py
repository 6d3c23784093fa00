"""What is said to the fault points of processes, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from chaos.explore.calls import CallKey, Injected
from chaos.explore.kinds import KINDS
from chaos.explore.port import PlatformError
from chaos.explore.wire.points import LEASE_SECONDS, Points, new_fault, service_of
from chaos.roster import Owner, OwnerKind, Roster
from chassis.faults.contract import Calls, Fault, NewFault, SeenCall
from chassis.faults.effects import REGISTRY

GET = CallKey("gateway", "users", "/v1/users/get")
AGAIN = CallKey("gateway", "users", "/v1/users/get", 2)


@dataclass
class Process:
    """A process' fault point, as the contract says; keeps what it was asked."""

    placed: dict[str, NewFault] = field(default_factory=dict)
    asked: list[NewFault] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    calls: tuple[SeenCall, ...] = ()
    url: str = ""

    async def place(self, request: web.Request) -> web.Response:
        self.tokens.add(request.headers["authorization"])
        wanted = msgspec.json.decode(await request.read(), type=NewFault)
        id_ = f"fault-{len(self.asked)}"
        self.asked.append(wanted)
        self.placed[id_] = wanted
        return _answer(Fault(id=id_, type=wanted.type), 201)

    async def end(self, request: web.Request) -> web.Response:
        wanted = self.placed.pop(request.match_info["id"])
        return _answer(Fault(id="x", type=wanted.type, met=1 + wanted.target.skip))

    async def seen(self, request: web.Request) -> web.Response:
        return _answer(Calls(calls=self.calls if request.query["correlation"] == "mine" else ()))


def _answer(told: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(told), status=status, content_type="application/json"
    )


@asynccontextmanager
async def points(*names: str) -> AsyncIterator[tuple[Points, dict[str, Process]]]:
    """Fault points of some processes, and the client of them all."""
    processes = {name: Process() for name in names}
    runners = []
    try:
        for process in processes.values():
            app = web.Application()
            app.add_routes(
                [
                    web.post("/chaos/faults", process.place),
                    web.delete("/chaos/faults/{id}", process.end),
                    web.get("/chaos/calls", process.seen),
                ]
            )
            runner = web.AppRunner(app)
            runners.append(runner)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            process.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        owners = tuple(
            Owner(kind=OwnerKind.PROCESS, name=name, url=process.url)
            for name, process in processes.items()
        )
        roster = Roster(
            gateway="http://gateway", supervisor_token="s", chaos_token="secret", owners=owners
        )
        async with aiohttp.ClientSession() as session:
            yield Points(session, roster, seed=7), processes
    finally:
        for runner in runners:
            await runner.cleanup()


async def test_a_fault_is_for_one_call_of_one_operation() -> None:
    """Its target is the correlation id, the caller, the route and the n-th call; its lease is short."""
    async with points("users") as (client, processes):
        async with client.faults((Injected(AGAIN, "latency"),), "mine") as met:
            (wanted,) = processes["users"].asked
            assert wanted.type == "latency"
            assert wanted.attributes == {"seconds": 7.0}
            assert wanted.target.headers == {"x-correlation-id": "mine"}
            assert (wanted.target.caller, wanted.target.route) == ("gateway", "/v1/users/get")
            assert (wanted.target.skip, wanted.target.first) == (1, 1)
            assert (wanted.lease_seconds, wanted.seed) == (LEASE_SECONDS, 7)
            assert met == {}
        assert met == {Injected(AGAIN, "latency"): 2}
        assert processes["users"].tokens == {"Bearer secret"}


async def test_faults_end_with_the_block_whatever_happens_in_it() -> None:
    """A run that fails leaves no fault behind."""
    async with points("users") as (client, processes):
        with pytest.raises(ZeroDivisionError):
            async with client.faults((Injected(GET, "error"),), "mine"):
                raise ZeroDivisionError
        assert processes["users"].placed == {}


async def test_later_calls_are_placed_first() -> None:
    """A fault that ends a request hides it from those placed after, which count what they spare."""
    async with points("users") as (client, processes):
        async with client.faults((Injected(GET, "error"), Injected(AGAIN, "abort")), "mine"):
            pass
        assert [it.target.skip for it in processes["users"].asked] == [1, 0]


async def test_every_replica_gets_the_fault_and_tells_its_calls() -> None:
    """Which replica serves a call is not known before, so all of them are told, and all are asked."""
    call = SeenCall(caller="gateway", route="/v1/users/get", at=1.0, seconds=0.1, status=200)
    async with points("users", "users-2", "ledger") as (client, processes):
        processes["users-2"].calls = (call,)
        async with client.faults((Injected(GET, "error"),), "mine") as met:
            assert [len(process.placed) for process in processes.values()] == [1, 1, 0]
        assert met[Injected(GET, "error")] == 2
        assert await client.calls("mine") == {"users": [call], "ledger": []}
        assert await client.calls("others") == {"users": [], "ledger": []}


async def test_what_does_not_answer_is_told() -> None:
    """A process that is not there, or refuses, is an error with its address, not a quiet success."""
    async with points("users") as (client, _):
        with pytest.raises(PlatformError, match="no process of ledger"):
            async with client.faults(
                (Injected(CallKey("gateway", "ledger", "/x"), "error"),), "mine"
            ):
                pass


def test_replicas_belong_to_their_service() -> None:
    """`users-2` is a process of users, and a name with a dash but no number stands for itself."""
    assert [service_of(name) for name in ("users", "users-2", "x-y")] == ["users", "users", "x-y"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_an_effect_that_processes_know(kind: str) -> None:
    """Kind and attributes are those of an effect that is registered."""
    wanted = new_fault(Injected(GET, kind), "mine", 0)
    msgspec.convert(wanted.attributes, REGISTRY[kind])
