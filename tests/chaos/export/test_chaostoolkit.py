"""Exported experiments: their shape, and what their functions do to owners of faults."""

import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaos.export import experiment, providers
from chaos.roster import Roster, read
from tests.chaos.export import platforms

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Fault:
    """As the engine plans it."""

    id: str
    owner: str
    owner_name: str
    target: str
    type: str
    at: float
    seconds: float | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    narrowing: Mapping[str, Any] = field(default_factory=dict)
    duration: float | None = 0.0

    @property
    def words(self) -> str:
        return f"{self.target}: {self.type}"


SLOW = Fault(
    "1-latency-users",
    "process",
    "users",
    "users",
    "latency",
    0.0,
    0.4,
    {"seconds": 5.0},
    {"percent": 50},
)
KILL = Fault("2-kill-ledger", "supervisor", "supervisor", "ledger", "kill", 0.2, None)
PAUSE = Fault("3-pause-users", "supervisor", "supervisor", "users", "pause", 0.4, 0.1)
TOXIC = Fault(
    "4-latency-users-postgres",
    "proxies",
    "proxies",
    "users-postgres",
    "latency",
    0.1,
    0.1,
    {"latency": 300.0},
)
DOWN = Fault("5-down-users-postgres", "proxies", "proxies", "users-postgres", "down", 0.3, 0.1)
ALL = (SLOW, KILL, PAUSE, TOXIC, DOWN)


def exported(state: Path) -> dict[str, Any]:
    return experiment(
        "users-slow",
        "Users are slow",
        "A release.",
        ALL,
        state=str(state),
        tags=("gateway.users.breaker",),
    )


def carry_out(activity: dict[str, Any]) -> Any:
    """As Chaos Toolkit calls a Python provider."""
    provider = activity["provider"]
    function = getattr(importlib.import_module(provider["module"]), provider["func"])
    return function(**provider["arguments"])


def test_the_method_follows_the_timeline(tmp_path: Path) -> None:
    """Activities are in the order of time, the pauses between them add up, and ends go before begins."""
    method = exported(tmp_path)["method"]
    now, told = 0.0, []
    for activity in method:
        now += activity.get("pauses", {}).get("before", 0.0)
        told.append((round(now, 3), activity["name"]))
    assert told == [
        (0.0, "users: latency"),
        (0.1, "users-postgres: latency"),
        (0.2, "end: users-postgres: latency"),
        (0.2, "ledger: kill"),
        (0.3, "users-postgres: down"),
        (0.4, "end: users: latency"),
        (0.4, "end: users-postgres: down"),
        (0.4, "users: pause"),
        (0.5, "end: users: pause"),
    ]


def test_every_provider_can_be_called_by_the_toolkit(tmp_path: Path) -> None:
    """Functions are importable, synchronous, and take just the arguments that the experiment gives."""
    made = json.loads(json.dumps(exported(tmp_path)))
    activities = made["method"] + made["rollbacks"] + made["steady-state-hypothesis"]["probes"]
    for activity in activities:
        function = getattr(
            importlib.import_module(activity["provider"]["module"]), activity["provider"]["func"]
        )
        assert not inspect.iscoroutinefunction(function)
        inspect.signature(function).bind(**activity["provider"]["arguments"])


def test_every_fault_that_lasts_has_a_lease_and_a_rollback(tmp_path: Path) -> None:
    """Leases are longer than the fault, since nothing renews them, and rollbacks end each fault again."""
    made = exported(tmp_path)
    begins = {
        a["name"]: a["provider"]["arguments"]
        for a in made["method"]
        if a["provider"]["func"] == "begin"
    }
    for fault in ALL:
        lease = begins[fault.words]["lease"]
        assert lease == 0 if fault.seconds is None else fault.seconds < lease <= 600
    ended = {a["provider"]["arguments"]["experiment"] for a in made["rollbacks"]}
    assert ended == {f"users-slow.{fault.id}" for fault in ALL if fault.seconds is not None}


def test_faults_reach_their_owners_and_are_taken_back(tmp_path: Path) -> None:
    """Each owner is asked in its own words with its own token; afterwards nothing is in place, twice over."""
    made = exported(tmp_path)
    with platforms.running(tmp_path) as platform:
        results = [carry_out(activity) for activity in made["method"]]
        again = [carry_out(activity) for activity in made["rollbacks"]]
        assert not platform.faults["/chaos/faults"]
        assert [one["kind"] for one in platform.faults["/faults"]] == ["kill"], "over at once"
        assert not platform.toxics
        assert platform.enabled
    assert {"ended": True, "met": 7} in results
    assert not any(one["ended"] for one in again)
    (slow,) = (
        one for one in platform.begun if one.get("experiment") == "users-slow.1-latency-users"
    )
    assert slow["attributes"] == {"seconds": 5.0}
    assert slow["target"] == {"percent": 50}
    (toxic,) = (one for one in platform.begun if "lease_seconds" in one)
    assert toxic["attributes"] == {"latency": 300}


def test_availability_counts_answers_with_data(tmp_path: Path) -> None:
    """One of a signed-in person's own profile; an error with a code is no availability."""
    with platforms.running(tmp_path) as platform:
        assert providers.availability(str(tmp_path), requests=4) == 1.0
        platform.failing = True
        assert providers.availability(str(tmp_path), requests=4) == 0.0


def test_a_refusal_fails_the_activity(tmp_path: Path) -> None:
    """An injection that did not happen must not look as if it had."""
    with platforms.running(tmp_path):
        roster = msgspec.structs.replace(read(tmp_path), chaos_token="wrong")
        (tmp_path / "chaos.json").write_bytes(msgspec.json.encode(roster))
        with pytest.raises(providers.OwnerRefused, match="401"):
            carry_out(exported(tmp_path)["method"][0])


def test_nobody_to_sign_in_as_is_said(tmp_path: Path) -> None:
    """Without demonstration data the probe fails with what to do."""
    roster = Roster(gateway="http://127.0.0.1:9", supervisor_token="", chaos_token="", owners=())
    (tmp_path / "chaos.json").write_bytes(msgspec.json.encode(roster))
    with pytest.raises(LookupError, match="demonstration data"):
        providers.availability(str(tmp_path))


def test_the_stock_toolkit_runs_it(tmp_path: Path) -> None:
    """`chaos run` validates the experiment, carries it out and says that it completed without deviation."""
    (tmp_path / "experiment.json").write_text(json.dumps(exported(tmp_path)))
    with platforms.running(tmp_path) as platform:
        ran = subprocess.run(
            (
                sys.executable,
                "-m",
                "chaostoolkit",
                "--no-version-check",
                "run",
                "--rollback-strategy",
                "always",
                "experiment.json",
            ),
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert not platform.toxics
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    assert all(one["status"] == "succeeded" for one in journal["run"] + journal["rollbacks"])
