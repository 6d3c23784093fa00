"""The load on a real platform: its records, its ends, its rate limits, and the money."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from baluarte.demo_data import PASSWORD, USERS
from baluarte.embedded.places import Places
from baluarte.embedded.postgres import EmbeddedPostgres
from baluarte.migrate import database_name, with_database
from baluarte.sandbox import LIMITED, Sandbox, sandbox
from chaos.history import Auditor, check, read_history
from chaos.history.snapshot import Urls
from chaos.record import Outcome, Sample
from chaos.roster import FILE, Roster, Staff
from loadtests.journeys import JOURNEYS
from loadtests.samples import read_samples
from loadtests.thresholds import KEPT
from tests import servers
from tests.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.may_block,  # it shares its cores with the whole platform
]

DATABASES = ("ledger", "transactions", "notifications")
EVERYTHING = ",".join(JOURNEYS)
END_SECONDS = 90.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Sandbox]:
    """A platform of this file's own, with the usual rate limits and a roster."""
    async with sandbox("--chaos", limits=LIMITED) as made:
        admin = next(user.email for user in USERS if user.key == "admin")
        server = EmbeddedPostgres(Places(made.state), made.ports["postgres"]).url
        roster = Roster(
            gateway=made.url,
            supervisor_token="",
            chaos_token="",
            owners=(),
            databases={name: with_database(server, database_name(name)) for name in DATABASES},
            staff=Staff(email=admin, password=PASSWORD),
        )
        (made.state / FILE).write_bytes(msgspec.json.encode(roster))
        yield made


@contextlib.asynccontextmanager
async def loading(platform: Sandbox, out: Path, *options: str) -> AsyncIterator[Process]:
    """A load in a process of its own; killed with the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "loadtests", "run", "--roster", str(platform.state / FILE), "--out", str(out)),
        *options,
        cwd=servers.HOUSES,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: Process) -> dict[str, Any]:
    """The next line of a load."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stdout.readline(), END_SECONDS)
    assert line, (await process.stderr.read()).decode()
    found: dict[str, Any] = json.loads(line)
    return found


async def ended(process: Process) -> int:
    return await asyncio.wait_for(process.wait(), END_SECONDS)


async def judged(platform: Sandbox, out: Path) -> frozenset[str]:
    """Let the proof of money judge a load. Returns the checks that had nothing to look at."""
    roster = msgspec.json.decode((platform.state / FILE).read_bytes(), type=Roster)
    async with Auditor(Urls(**roster.databases)) as auditor:
        state = await auditor.state()
    report = check(read_history(out / "history.jsonl"), state)
    assert not report.violated, report.text()
    return report.unknown


async def test_every_journey_is_served_and_the_money_is_proved(
    running: Sandbox, tmp_path: Path
) -> None:
    """All eleven checks hold with something to look at, and each sample says who, when and what."""
    out = tmp_path / "run"
    start = time.monotonic() - 100.0
    options = ("--journeys", EVERYTHING, "--rate", "6", "--users", "8", "--seconds", "16")

    async with loading(running, out, *options, "--start", str(start)) as process:
        ready = await said(process)
        done = await said(process)
        assert await ended(process) == 0

    samples = read_samples(out / "samples.jsonl")
    assert ready["ready"] is True
    assert (done["journeys"], done["notSent"], done["unresolved"]) == (96, 0, 0)
    assert {sample.journey for sample in samples} >= set(JOURNEYS)
    assert {sample.outcome for sample in samples} <= KEPT, Counter(s.codes for s in samples)
    assert Counter({s.user: s.cohort for s in samples}.values()) == {"a": 4, "b": 4}
    assert all(
        ready["begins"] <= sample.intended <= sample.started <= sample.ended for sample in samples
    )
    assert min(sample.intended for sample in samples) > 100.0  # from --start on
    assert await judged(running, out) == frozenset()


async def test_sigterm_ends_a_load_in_order(running: Sandbox, tmp_path: Path) -> None:
    """A load without an end stops sending, looks up what is open, and exits with zero."""
    out = tmp_path / "run"
    async with loading(
        running, out, "--journeys", "pay", "--rate", "10", "--users", "4"
    ) as process:
        await said(process)
        await eventually(lambda: len(read_samples(out / "samples.jsonl")) >= 20)
        process.send_signal(signal.SIGTERM)
        done = await said(process)
        assert await ended(process) == 0

    assert (done["done"], done["unresolved"]) == (True, 0)
    assert done["journeys"] >= 20


async def test_the_stop_file_ends_a_load(running: Sandbox, tmp_path: Path) -> None:
    """For whoever cannot send signals."""
    out, stop = tmp_path / "run", tmp_path / "stop"
    async with loading(running, out, "--users", "4", "--stop-file", str(stop)) as process:
        await said(process)
        stop.touch()
        assert (await said(process))["done"] is True
        assert await ended(process) == 0


async def test_the_records_of_a_killed_load_can_be_read(running: Sandbox, tmp_path: Path) -> None:
    """SIGKILL loses at most the line that was being written; the money is judged all the same."""
    out = tmp_path / "run"
    options = ("--journeys", "pay,double-click", "--rate", "25", "--users", "8")
    async with loading(running, out, *options) as process:
        await said(process)
        await eventually(lambda: len(read_samples(out / "samples.jsonl")) >= 50)
        process.kill()
        assert await ended(process) == -signal.SIGKILL

    history = read_history(out / "history.jsonl")
    assert len(history.events) >= 100
    assert len(read_samples(out / "samples.jsonl")) >= 50
    assert await judged(running, out) <= {"one-reversal"}  # nothing was reversed


async def test_payments_outlive_a_ledger_that_is_down(running: Sandbox, tmp_path: Path) -> None:
    """While it is held down payments are queued; at the end each has its outcome, and the money is right."""
    out = tmp_path / "run"
    options = ("--journeys", "pay,refresh,overview", "--rate", "8", "--users", "8")
    async with loading(running, out, *options) as process:
        await said(process)
        async with running.fault("ledger", "hold_down", 20.0):
            await eventually(lambda: Outcome.QUEUED in outcomes(out, "pay"))
            await eventually(lambda: Outcome.STALE in outcomes(out, "overview"))
        await running.ready()
        process.send_signal(signal.SIGTERM)
        done = await said(process)
        assert await ended(process) == 0

    assert done["unresolved"] == 0
    assert await judged(running, out) <= {"one-reversal"}


def outcomes(out: Path, journey: str) -> set[Outcome]:
    samples = read_samples(out / "samples.jsonl")
    return {sample.outcome for sample in samples if sample.journey == journey}


async def test_the_rate_limiter_is_on_and_counts_each_user(
    running: Sandbox, tmp_path: Path
) -> None:
    """Two users who ask far too often are refused, by the code for it; the others' runs were not."""
    out = tmp_path / "run"
    options = ("--journeys", "overview", "--rate", "40", "--users", "2")

    def refused() -> list[Sample]:
        samples = read_samples(out / "samples.jsonl")
        return [sample for sample in samples if sample.outcome is Outcome.REFUSED]

    async with loading(running, out, *options) as process:
        await said(process)
        await eventually(lambda: len({sample.user for sample in refused()}) == 2, END_SECONDS)

    assert {sample.codes for sample in refused()} == {("RATE_LIMITED",)}
    assert {sample.status for sample in refused()} == {429}


async def test_people_who_know_locust_can_run_it(running: Sandbox, tmp_path: Path) -> None:
    """As a plain locustfile, with thresholds as its exit code: kept, and missed."""
    codes = {}
    for number, p95 in (("1", "60"), ("2", "0.000001")):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py"),
            *("--host", running.url, "--headless", "-u", "4", "-r", "4", "--only-summary"),
            *("--rate", "8", "--p95", p95, "--out", str(tmp_path)),
            cwd=servers.HOUSES,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, "PYTHONPATH": str(servers.HOUSES)},
        )
        await eventually(partial(_served, tmp_path / number), END_SECONDS)
        process.terminate()
        told, errors = await asyncio.wait_for(process.communicate(), END_SECONDS)
        codes[p95] = process.returncode
        assert b"Traceback" not in errors, errors.decode()
        assert (b"threshold missed: p95" in told) == (number == "2"), told.decode()
        assert read_history(tmp_path / number / "history.jsonl").events

    assert codes == {"60": 0, "0.000001": 3}


def _served(out: Path) -> bool:
    path = out / "samples.jsonl"
    return path.exists() and len(read_samples(path)) >= 5
