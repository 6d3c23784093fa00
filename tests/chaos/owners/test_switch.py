"""The kill switch reaches every owner, whoever else is dead, paused or broken."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.owners import PartFault, Toxic, list_all, stop_all
from chaos.owners.switch import HEAD_START, Said
from chassis.faults.contract import NewFault
from tests import servers
from tests.chaos.owners.grounds import (
    NOBODY,
    a_process,
    a_supervisor,
    crew_of,
    roster_of,
    some_proxies,
)
from tests.waiting import eventually

TOXIC = Toxic(edge="gateway-users", type="latency", attributes={"latency": 5}, lease_seconds=60)
FAULT = NewFault(type="latency", attributes={"seconds": 1.0}, lease_seconds=60)


def by_owner(said: list[Said]) -> dict[str, Said]:
    return {one.owner: one for one in said}


@contextlib.contextmanager
def a_paused_process() -> Iterator[str]:
    """The URL of one for which the kernel accepts connections, and that answers nothing."""
    with servers.listening() as port:
        yield f"http://127.0.0.1:{port}"


async def test_every_owner_is_undone_and_says_what(tmp_path: Path) -> None:
    """A process fault, a toxic and an effect end at once; a second time there is nothing."""
    async with (
        a_supervisor(tmp_path, "one") as supervisor,
        some_proxies() as proxies,
        a_process("users") as (users, point),
    ):
        urls = {"supervisor": supervisor, "proxies": proxies, "users": users}
        async with crew_of(**urls) as found:
            await found.supervisor.inject(PartFault(part="one", type="pause", lease_seconds=60))
            await found.proxies.inject(TOXIC)
            await found.process("users").inject(FAULT)
        listed = by_owner(await list_all(roster_of(**urls)))
        stopped = by_owner(await stop_all(roster_of(**urls)))
        for owner, kind in (("supervisor", "pause"), ("proxies", "latency"), ("users", "latency")):
            assert [fault.type for fault in listed[owner].faults] == [kind]
            assert [fault.type for fault in stopped[owner].faults] == [kind]
            assert not stopped[owner].problem
        assert point.faults == ()
        again = await stop_all(roster_of(**urls))
        assert not any(one.faults or one.error for one in again)


@pytest.mark.parametrize("dead", ["supervisor", "proxies", "gateway"])
async def test_a_dead_owner_keeps_no_other_from_being_undone(tmp_path: Path, dead: str) -> None:
    """It is reported as gone, which is no problem: its faults went with it."""
    async with (
        a_supervisor(tmp_path, "one") as supervisor,
        some_proxies() as proxies,
        a_process("users") as (users, point),
    ):
        urls = {"supervisor": supervisor, "proxies": proxies, "users": users} | {dead: NOBODY}
        async with crew_of(**urls) as found:
            await found.process("users").inject(FAULT)
        said = by_owner(await stop_all(roster_of(**urls)))
        assert said[dead].gone
        assert not said[dead].problem
        assert len(said["users"].faults) == 1
        assert point.faults == ()


async def test_a_silent_owner_is_a_problem_and_no_delay() -> None:
    """All are asked side by side: several that hang cost no more than one, and all others are done."""
    async with contextlib.AsyncExitStack() as stack:
        paused = stack.enter_context(a_paused_process())
        proxies = await stack.enter_async_context(some_proxies())
        users, point = await stack.enter_async_context(a_process("users"))
        urls = {"supervisor": paused, "ledger": paused, "proxies": proxies, "users": users}
        async with crew_of(**urls) as found:
            await found.process("users").inject(FAULT)
        loop = asyncio.get_running_loop()
        began = loop.time()
        said = by_owner(await stop_all(roster_of(**urls), seconds=0.6))
        assert loop.time() - began < HEAD_START + 2 * 0.6
        for silent in ("supervisor", "ledger"):
            assert "0.6 s" in said[silent].problem
            assert not said[silent].gone
        assert len(said["users"].faults) == 1
        assert point.faults == ()


async def test_the_others_are_told_without_waiting_for_a_hanging_supervisor() -> None:
    """Its head start is short: a fault in a process does not go on because the supervisor hangs."""
    async with a_process("users") as (users, point):
        async with crew_of(users=users) as found:
            await found.process("users").inject(FAULT)
        with a_paused_process() as paused:
            roster = roster_of(supervisor=paused, users=users)
            switch = asyncio.create_task(stop_all(roster, seconds=20))
            await eventually(lambda: point.faults == ())
            assert not switch.done()
            switch.cancel()
            await asyncio.gather(switch, return_exceptions=True)


async def test_a_wrong_token_is_a_problem(tmp_path: Path) -> None:
    """Whoever refuses may hold faults: it must not look undone."""
    async with a_process("users") as (users, _):
        roster = roster_of(users=users)
        wrong = type(roster)(
            gateway=NOBODY, supervisor_token="", chaos_token="guess", owners=roster.owners
        )
        (said,) = await stop_all(wrong)
        assert "401" in said.problem
