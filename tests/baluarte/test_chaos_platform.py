"""A platform under `--chaos`, as an operator breaks it: each fault hits what it names, and ends."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from baluarte import databases
from baluarte.embedded import processes
from baluarte.supervisor import occupancy
from chaos.roster import Roster, read
from tests.baluarte.platforms import Platform, platform
from tests.waiting import eventually_sync

pytestmark = pytest.mark.timeout(400)

LATENCY = 0.7
STRANGER = '{email: "nobody@baluarte.example", password: "a-wrong-one"}'
LOGIN = f"mutation {{ login(input: {STRANGER}) {{ accessToken }} }}"
LEASE = 2.0

ASKER = """
import asyncio, sys
from pathlib import Path
from chaos.owners import Toxic, crew
from chaos.roster import read

async def main():
    async with crew(read(Path(sys.argv[1]))) as everybody:
        lease, toxic = float(sys.argv[2]), {"latency": 5}
        order = Toxic(edge="users-valkey", type="latency", attributes=toxic, lease_seconds=lease)
        placed = await everybody.proxies.inject(order)
        ends = asyncio.get_running_loop().time() + lease
        while True:
            await asyncio.sleep(lease / 10)
            assert await everybody.proxies.renew(placed.id, lease)
            if asyncio.get_running_loop().time() > ends:
                print("renewed", flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    """A platform that is up, without demonstration data, which nothing here needs."""
    with platform() as made:
        made.start("--chaos", "--no-demo", "--replicas", "users=2")
        made.wait_ready()
        yield made


def chaos(running: Platform, command: str, *arguments: str, code: int = 0) -> str:
    """What `baluarte chaos COMMAND` says, which must end with `code`."""
    answer = running.run(f"chaos {command}", *arguments)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def nothing_in_place(running: Platform) -> bool:
    return "no fault is in place" in chaos(running, "faults")


def roster(running: Platform) -> Roster:
    return read(running.state)


def seconds_through(running: Platform, edge: str) -> float:
    """How long a health check takes by way of an edge's proxy."""
    proxies = json.loads((running.state / "proxies.json").read_text())
    (listen,) = (proxy["listen"] for proxy in proxies if proxy["name"] == edge)
    return seconds_of(f"http://{listen}")


def seconds_of(base: str) -> float:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.monotonic()
    with direct.open(f"{base}/health/live", timeout=20) as answer:
        assert answer.status == 200
    return time.monotonic() - began


def works(running: Platform) -> bool:
    """Whether the gateway reaches users, who know nobody of that name."""
    errors = running.ask(LOGIN).get("errors", [{}])
    return bool(errors[0]["extensions"]["code"] == "INVALID_CREDENTIALS")


def all_ready(running: Platform) -> bool:
    return {part["state"] for part in running.parts().values()} == {"ready"}


def test_the_roster_is_for_the_operator_and_true(running: Platform) -> None:
    """Mode 0600; every owner in it answers; its auditor really reads the ledger."""
    assert stat.S_IMODE((running.state / "chaos.json").stat().st_mode) == 0o600
    assert nothing_in_place(running)

    async def entries() -> int:
        async with databases.connection(roster(running).databases["ledger"]) as connection:
            return int(await connection.fetchval("SELECT count(*) FROM entries"))

    assert asyncio.run(entries()) == 0


def test_a_toxic_slows_its_edge_alone(running: Platform) -> None:
    """The same service is as fast as before by every other way; the toxic counts whom it met."""
    said = chaos(running, "toxic", "gateway-users", "latency", f"latency={LATENCY * 1000:.0f}")
    assert "gateway-users: latency" in said
    assert seconds_through(running, "gateway-users") >= LATENCY
    others = ["transactions-users", "gateway-users-2", "gateway-ledger"]
    fastest = [min(seconds_through(running, edge) for _ in range(3)) for edge in others]
    assert all(seconds < LATENCY for seconds in fastest), fastest
    assert seconds_of(roster(running).owner("users").url) < LATENCY
    met = re.search(r"met (\d+) times", chaos(running, "faults"))
    assert met is not None
    assert int(met.group(1)) >= 1
    assert "proxies: undone: gateway-users: latency" in chaos(running, "stop")
    assert seconds_through(running, "gateway-users") < LATENCY


def test_one_switch_undoes_what_every_owner_did(running: Platform) -> None:
    """A paused process goes on first, so that the faults within it can be ended too."""
    chaos(running, "inject", "ledger", "latency", "seconds=0.01", "--percent", "50")
    chaos(running, "down", "notifications-bus")
    chaos(running, "pause", "ledger")
    assert running.parts()["ledger"]["state"] == "paused"
    said = chaos(running, "stop")
    assert "supervisor: undone: ledger: pause" in said
    assert "ledger: undone: ledger: latency, seconds 0.01, percent 50" in said
    assert "proxies: undone: notifications-bus: down" in said
    assert said.rstrip().endswith("no fault is in place")
    assert nothing_in_place(running)
    eventually_sync(lambda: all_ready(running), 60)


def test_wrong_names_are_told_with_the_right_ones(running: Platform) -> None:
    """Exit code 1 and the choice there is, for edges, processes, types and attributes."""
    for arguments, code, choice in (
        (("toxic", "gateway-moon", "latency"), "EDGE_UNKNOWN", "gateway-users-2"),
        (("toxic", "gateway-users", "pain"), "TOXIC_UNKNOWN", "slicer"),
        (("toxic", "gateway-users", "latency", "latenc=1"), "FAULT_REFUSED", "latency, jitter"),
        (("down", "moon"), "EDGE_UNKNOWN", "users-postgres"),
        (("inject", "moon", "latency"), "PROCESS_UNKNOWN", "users-2"),
        (("inject", "users", "pain"), "FAULT_TYPE_UNKNOWN", "lose_answer"),
        (("inject", "users", "latency", "pain=1"), "INVALID_INPUT", "jitter"),
        (("toxic", "gateway-users", "latency", "--seconds", "0"), "FAULT_REFUSED", "lease"),
    ):
        said = chaos(running, *arguments, code=1)
        assert code in said, said
        assert choice in said, said
    assert nothing_in_place(running)


def test_no_fault_outlives_whoever_asked_for_it(running: Platform) -> None:
    """Its lease is renewed while they live; SIGKILL for them, and it is over within the lease."""
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKER, str(running.state), str(LEASE)],
        env=running.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "renewed\n"
        said = chaos(running, "faults")
        assert "users-valkey: latency" in said
        left = re.search(r"for another (\d+) s at most", said)
        assert left is not None
        assert int(left.group(1)) <= LEASE
    finally:
        asker.kill()
        asker.communicate()
    eventually_sync(lambda: nothing_in_place(running), 20)


def test_killed_proxies_come_back_by_themselves_and_without_faults(running: Platform) -> None:
    """The same addresses, no toxic, and everybody reaches everybody again with nothing restarted."""
    chaos(running, "toxic", "gateway-users", "timeout", "timeout=0", "--seconds", "600")
    before = running.parts()
    os.kill(before["proxies"]["pid"], signal.SIGKILL)
    restarted = before["proxies"]["restarts"] + 1
    eventually_sync(lambda: running.parts()["proxies"]["restarts"] == restarted, 40)
    eventually_sync(lambda: all_ready(running), 60)
    assert nothing_in_place(running)
    eventually_sync(lambda: works(running), 30)
    after = running.parts()
    assert {name for name in after if after[name]["pid"] != before[name]["pid"]} == {"proxies"}


def test_a_switch_that_cannot_reach_an_owner_says_so_and_does_the_rest(running: Platform) -> None:
    """Exit code 1 with the way out; the other owners are done; afterwards it works again."""
    chaos(running, "toxic", "users-valkey", "latency", "latency=5", "--seconds", "60")
    assert running.process is not None
    running.process.send_signal(signal.SIGSTOP)
    try:
        said = chaos(running, "stop", code=1)
    finally:
        running.process.send_signal(signal.SIGCONT)
    assert "proxies: undone: users-valkey: latency" in said
    assert "FAULTS_LEFT" in said
    assert f"kill -CONT {running.process.pid}" in said
    assert "no fault is in place" in chaos(running, "stop")


def test_the_switch_works_with_supervisor_and_gateway_dead(running: Platform) -> None:
    """Last here, since it ends the platform: what the supervisor left paused goes on, and ends."""
    chaos(running, "pause", "users", "--seconds", "600")
    chaos(running, "toxic", "gateway-ledger", "latency", "latency=5", "--seconds", "600")
    children = list(occupancy.recorded(running.state).values())
    os.kill(running.parts()["gateway"]["pid"], signal.SIGKILL)
    assert running.process is not None
    running.process.kill()
    running.process.wait(5)
    assert "continued users" in chaos(running, "stop")
    eventually_sync(lambda: not any(map(processes.started_at, children)), 30)
    assert "nothing runs any more" in chaos(running, "stop")
