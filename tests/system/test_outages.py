"""What clients are promised while a part is down, hangs, or is missing at the start, on a real platform.

`make outages` prints the same outages for people (`scripts/outages/`); here they decide.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psutil  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from baluarte.embedded import processes
from baluarte.sandbox import Sandbox, sandbox
from scripts.outages import course
from scripts.outages.customer import Customer, new_key
from scripts.outages.observations import SLACK_SECONDS, Observation
from scripts.outages.promises import broken
from tests.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.may_block,  # it shares its two cores with the whole platform
]

SHORT = 0.5
"""A deadline, in seconds, far below every timeout of the policies between gateway and databases."""

PAUSED_SECONDS = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Sandbox]:
    """A platform of this file's own, since others must not see its outages."""
    async with sandbox("--chaos") as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ana(running: Sandbox) -> AsyncIterator[Customer]:
    """A signed-in customer."""
    async with course.customer(running) as made:
        yield made


@pytest.mark.parametrize("part", course.PARTS)
async def test_promises_hold_while_a_part_is_down(
    running: Sandbox, ana: Customer, part: str
) -> None:
    """All that is promised of this outage: what is fresh, stale, refused, queued, and what comes of it."""
    assert broken([await course.outage(running, ana, part)]) == []


@pytest.mark.parametrize("part", course.PARTS)
async def test_a_hanging_part_makes_nothing_outlive_its_deadline(
    running: Sandbox, ana: Customer, part: str
) -> None:
    """A paused part accepts connections and is silent: every operation still ends when its client said.

    The transfer that was sent into it moves money once, whatever was answered.
    """
    key = new_key()
    before = await ana.overview()
    ana.deadline = SHORT
    try:
        async with running.fault(part, "pause", PAUSED_SECONDS):
            asked = [
                await ana.overview(),
                await ana.statement(),
                await ana.transfer(key),
                await ana.lookup(key),
                await ana.login(),
            ]
            assert (await running.parts())[part]["state"] == "paused"
    finally:
        ana.deadline = course.RECOVERY_SECONDS
    late = [(seen.question, seen.seconds) for seen in asked if seen.seconds > SHORT + SLACK_SECONDS]
    assert late == []
    assert [seen.question for seen in asked if not seen.status] == []
    await running.ready(course.RECOVERY_SECONDS)
    assert (await running.parts())[part]["faults"] == []
    await money_moved_once(ana, key, before)


async def money_moved_once(ana: Customer, key: str, before: Observation) -> None:
    """The same key ends as one completed transfer, and the balance tells of one."""

    async def completed() -> bool:
        seen = await ana.transfer(key)
        return bool(seen.data and seen.data["status"] == "COMPLETED")

    async def told() -> bool:
        seen = await ana.overview()
        assert not seen.codes
        assert not seen.degraded
        first, last = (float(each.data["account"]["balance"]["amount"]) for each in (before, seen))
        return round(first - last, 2) == 1.0

    await eventually(completed, course.RECOVERY_SECONDS, why="the transfer is settled")
    await eventually(told, course.RECOVERY_SECONDS, why="the balance tells of one transfer")


async def test_a_paused_server_is_paused_with_all_its_backends(running: Sandbox) -> None:
    """PostgreSQL's backends lead sessions of their own; none of them works on, and all go on after."""
    head = (await running.parts())["postgres"]["pid"]
    async with running.fault("postgres", "pause", PAUSED_SECONDS):
        family = await asyncio.to_thread(processes.families, [head])
        assert family
        states = {psutil.Process(pid).status() for pid in (head, *family)}
        assert states == {psutil.STATUS_STOPPED}
    await running.ready(course.RECOVERY_SECONDS)
    assert (await running.parts())["postgres"]["pid"] == head, "it was never restarted"


@pytest.mark.parametrize(
    "absent", [("users",), ("users", "ledger", "transactions", "notifications")]
)
async def test_the_gateway_starts_without_its_services(
    running: Sandbox, ana: Customer, absent: tuple[str, ...]
) -> None:
    """It becomes ready while they are down, and answers with data, copies or codes, at once."""
    async with AsyncExitStack() as faults:
        for part in absent:
            await faults.enter_async_context(running.fault(part, "hold_down", 120.0))
        restarts = (await running.parts())["gateway"]["restarts"]
        await running.ask("POST", "/faults", {"part": "gateway", "kind": "kill"})

        async def again() -> bool:
            gateway = (await running.parts())["gateway"]
            return bool(gateway["restarts"] > restarts and gateway["state"] == "ready")

        await eventually(again, course.RECOVERY_SECONDS, why="the gateway is ready")
        assert {(await running.parts())[part]["state"] for part in absent} == {"held down"}
        login, statement = await ana.login(), await ana.statement()
        # Under --chaos a proxy stands in front of the dead service, and hangs up where nobody would answer.
        refused = {("UNAVAILABLE",), ("CIRCUIT_BREAKER_OPEN",), ("OUTCOME_UNKNOWN",)}
        assert login.codes in refused
        if absent == ("users",):
            assert statement.data["edges"], "who is signed in is known without users"
    await running.ready(course.RECOVERY_SECONDS)


def chaos(running: Sandbox, *arguments: str) -> str:
    """`baluarte chaos …` as the operator types it."""
    name, *rest = arguments
    command = [sys.executable, "-m", "baluarte", "chaos", name, "--state-dir", str(running.state)]
    done = subprocess.run(
        [*command, *rest], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_kill_switch_works_with_the_gateway_dead(running: Sandbox) -> None:
    """`baluarte chaos stop` speaks to the supervisor alone, and leaves no fault behind."""
    await asyncio.to_thread(chaos, running, "hold", "gateway", "--seconds", "120")
    await asyncio.to_thread(chaos, running, "pause", "users", "--seconds", "120")
    await running.until_state("gateway", "held down")
    assert "hold_down" in await asyncio.to_thread(chaos, running, "faults")
    told = await asyncio.to_thread(chaos, running, "stop")
    assert told.count("undone: ") == 2
    assert (await running.ask("GET", "/faults"))["faults"] == []
    await running.ready(course.RECOVERY_SECONDS)
