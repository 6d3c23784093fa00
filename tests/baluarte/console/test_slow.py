"""Slow requests, from a real log file."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from baluarte.console import slow
from baluarte.console.slow import SlowRequests, story
from baluarte.supervisor import logfiles
from baluarte.supervisor.logfiles import LogFile

NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    opened = LogFile(tmp_path / "gateway.log", "gateway")
    yield opened
    opened.finish()


def say(log: LogFile, event: str, **fields: object) -> None:
    """As a process writes it: with a time of its own."""
    log.feed(json.dumps({"event": event, "service": log.part, **fields}).encode() + b"\n")


def request(log: LogFile, number: int, duration: object, ago: float = 1.0, **other: Any) -> None:
    stamp = datetime.fromtimestamp(NOW - ago, UTC).isoformat().replace("+00:00", "Z")
    told = {"route": "/graphql", "status": 200, "correlationId": f"request-{number:04}"}
    say(log, "request", **{"timestamp": stamp, "duration": duration, **told, **other})


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in found]


def test_the_slowest_come_first(tmp_path: Path, clock: Clock, log: LogFile) -> None:
    """Those that were there, and those that come later; at most so many."""
    for number in range(20):
        request(log, number, number / 100)
    slowest = SlowRequests(tmp_path, clock)
    found = slowest.read()
    assert ids(found) == [f"request-{number:04}" for number in range(19, 19 - slow.KEPT, -1)]
    assert (found[0]["duration"], found[0]["status"]) == (0.19, 200)
    request(log, 99, 5.0, code="TIMEOUT")
    found = slowest.read()
    assert ids(found)[:2] == ["request-0099", "request-0019"]
    assert found[0]["code"] == "TIMEOUT"


def test_a_request_is_forgotten_in_time(tmp_path: Path, clock: Clock, log: LogFile) -> None:
    """Ten minutes after it, others have its place."""
    request(log, 1, 9.0, ago=slow.SPAN - 5)
    request(log, 2, 1.0)
    slowest = SlowRequests(tmp_path, clock)
    assert ids(slowest.read()) == ["request-0001", "request-0002"]
    clock.now += 10
    assert ids(slowest.read()) == ["request-0002"]


def test_what_is_no_request_of_a_client_is_none(tmp_path: Path, clock: Clock, log: LogFile) -> None:
    """Other routes, other events, and lines that somebody else has made up."""
    request(log, 1, 1.0, route="/health/ready")
    request(log, 2, "long")
    request(log, 3, 1.0, correlationId="<script>alert(1)</script>")
    request(log, 4, 1.0, correlationId=None)
    request(log, 5, 1.0, timestamp="yesterday")
    log.say("started", route="/graphql", duration=3.0, correlationId="request-0006")
    log.feed(b"{broken\n")
    assert SlowRequests(tmp_path, clock).read() == []
    assert SlowRequests(tmp_path / "nowhere", clock).read() == []


def test_only_the_end_of_a_long_log_is_read(
    tmp_path: Path, clock: Clock, log: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first, and after a long time in which nobody looked."""
    monkeypatch.setattr(slow, "FIRST_BYTES", 1000)
    for number in range(50):
        request(log, number, 1.0)
    slowest = SlowRequests(tmp_path, clock)
    assert 2 <= len(slowest.read()) <= 6
    clock.now += 61
    for number in range(50, 100):
        request(log, number, 2.0)
    found = slowest.read()
    assert 2 <= len(found) <= 6
    assert "request-0099" in ids(found)


def test_what_is_kept_is_bounded(tmp_path: Path, clock: Clock, log: LogFile) -> None:
    """However many there are in ten minutes, and the slowest are among them."""
    slowest = SlowRequests(tmp_path, clock)
    slowest.read()
    for number in range(3000):
        request(log, number, 1.0 + number / 1000)
    assert ids(slowest.read())[0] == "request-2999"
    assert len(slowest._kept) <= slow._REMEMBERED


def test_a_story_is_bounded_and_by_time(tmp_path: Path) -> None:
    """The last lines of all parts that have one correlation id."""
    for part in ("gateway", "users"):
        log = LogFile(tmp_path / f"{part}.log", part)
        for number in range(150):
            stamp = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
            say(log, "line", timestamp=stamp, correlationId="abcd-1234")
            say(log, "other", timestamp=stamp, correlationId="abcd-12345")
        log.finish()
    lines = story(tmp_path, "abcd-1234")
    assert len(lines) == slow.MAX_LINES
    assert {line["event"] for line in lines} == {"line"}
    stamps = [line["timestamp"] for line in lines]
    assert stamps == sorted(stamps)


def test_an_id_that_json_writes_otherwise_is_found_still(tmp_path: Path) -> None:
    """Only plain ids are looked for before a line is parsed."""
    log = LogFile(tmp_path / "users.log", "users")
    log.say("line", correlationId='é"\\')
    log.finish()
    assert len(logfiles.entries(tmp_path, correlation_id='é"\\')) == 1
    assert logfiles.entries(tmp_path, correlation_id="e") == []
