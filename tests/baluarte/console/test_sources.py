"""Where the console looks, and what it makes of silence."""

import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from baluarte.console import sources
from baluarte.console.reading import MAX_PAGE_BYTES
from baluarte.console.sources import Alerts, Faults, Pages
from baluarte.supervisor import api
from chaos.roster import FILE
from tests import servers
from tests.baluarte.console.grounds import Process, listening
from tests.chaos.owners.grounds import SUPERVISOR_TOKEN, a_process, a_supervisor, roster_of

NOBODY = "http://127.0.0.1:1"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


async def test_who_is_down_is_known_to_be() -> None:
    """Nobody listens, or says 503, or says too much: no reading, and the others have theirs."""
    process, silent, wordy = Process("users"), Process("users"), Process("users")
    silent.silent = True
    wordy.padding = "x" * (MAX_PAGE_BYTES + 1)
    async with listening(process) as one, listening(silent) as two, listening(wordy) as three:
        clock = Clock()
        pages = Pages({"a": one, "b": two, "c": three, "d": NOBODY}, clock)
        async with aiohttp.ClientSession() as session:
            for name in "abcdabcd":
                await pages.look(session, name)
            known = {name: window.last is not None for name, window in pages.windows.items()}
            assert known == {"a": True, "b": False, "c": False, "d": False}
            assert pages.windows["a"].ends is not None
            process.silent = True
            await pages.look(session, "a")
            assert pages.windows["a"].last is not None, "it may only be late"
            clock.now += sources.SILENT_SECONDS
            await pages.look(session, "a")
            assert pages.windows["a"].last is None


async def test_a_hanging_process_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing: lost when its time is over."""
    monkeypatch.setattr(sources, "PAGE_SECONDS", 0.05)
    with servers.listening() as port:
        pages = Pages({"a": f"http://127.0.0.1:{port}"})
        async with aiohttp.ClientSession() as session:
            await pages.look(session, "a")
    assert pages.windows["a"].last is None


async def test_faults_of_every_owner_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor's and a process' own; who lives and says nothing is told, who is gone has none."""
    monkeypatch.setattr(sources, "FAULT_SECONDS", 1.0)
    async with (
        a_supervisor(tmp_path / "supervisor", "users") as supervisor,
        a_process("ledger") as (ledger, _),
    ):
        stack = contextlib.ExitStack()
        hanging = f"http://127.0.0.1:{stack.enter_context(servers.listening())}"
        roster = roster_of(supervisor=supervisor, ledger=ledger, gateway=hanging, users=NOBODY)
        (tmp_path / FILE).write_bytes(msgspec.json.encode(roster))
        body = {"part": "users", "kind": "hold_down", "seconds": 60}
        headers = {"Authorization": f"Bearer {SUPERVISOR_TOKEN}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{supervisor}/faults", json=body, headers=headers) as answer,
        ):
            fault = await answer.json()
        found = Faults(tmp_path, True)
        with stack:
            await found.look()
    [known] = found.known
    assert (known["id"], known["target"]) == (f"supervisor/{fault['id']}", "users")
    assert known["type"] == "hold_down"
    assert 0 < known["remaining"] <= 60
    assert found.silent == ["gateway"]


async def test_a_roster_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Not knowing is not the same as none; where none can be, nobody is asked."""
    found = Faults(tmp_path, True)
    await found.look()
    assert "cannot be read" in found.silent[0]
    quiet = Faults(tmp_path, False)
    await quiet.look()
    assert (quiet.known, quiet.silent) == ([], [])


def alert(name: str, state: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": "page", **labels},
        "annotations": {"summary": f"<i>{name}</i> is the case" + "!" * 1000},
        "state": state,
        "activeAt": "2026-01-01T00:00:00Z",
        "value": "1",
    }


async def test_alerts_come_and_go() -> None:
    """Pending and firing ones; one that fired and is gone is told as over; the watchdog is none."""
    told: list[Any] = [alert("Watchdog"), alert("ServiceDown", service="users", chaos="active")]

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=told[0] if isinstance(told[0], str) else _answer(told))

    app = web.Application()
    app.router.add_get("/api/v1/alerts", show)
    async with api.serving(app, 0) as port, aiohttp.ClientSession() as session:
        found = Alerts(f"http://127.0.0.1:{port}")
        await found.look(session)
        assert found.active is not None
        [one] = found.active
        assert (one["name"], one["about"], one["chaos"]) == ("ServiceDown", "users", True)
        assert len(one["text"]) <= 500
        told[:] = [""]
        await found.look(session)
        assert [found.active, *found.over] == [None], "nothing is claimed while it is silent"
        told[:] = [alert("HighLatency", "pending")]
        await found.look(session)
        assert [each["state"] for each in found.active or ()] == ["pending"]
        assert [(each["name"], each["state"]) for each in found.over] == [("ServiceDown", "over")]
        told[:] = [alert(f"A{number}") for number in range(500)]
        await found.look(session)
        assert len(found.active or ()) == sources.MAX_ALERTS
        for nonsense in ("", "{}", "[1]", '{"data": {"alerts": [3]}}'):
            told[:] = [nonsense]
            await found.look(session)
            assert found.active is None
    assert len(found.over) <= 20


def _answer(alerts: list[Any]) -> str:
    return json.dumps({"status": "success", "data": {"alerts": alerts}})


async def test_without_prometheus_nobody_is_asked() -> None:
    """And nothing is claimed about alerts."""
    found = Alerts(None)
    async with aiohttp.ClientSession() as session:
        await found.look(session)
    assert found.active is None
