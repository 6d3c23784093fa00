"""Logs on disk: whole lines, bounded, readable back in order."""

import json
from pathlib import Path

import pytest

from baluarte.supervisor.logfiles import (
    Entry,
    Follower,
    LogBounds,
    LogFile,
    entries,
    follow,
    parse,
    parts,
    readable,
)


def line(event: str, time: int, **fields: str) -> bytes:
    return json.dumps(
        {"timestamp": f"2026-01-01T00:00:{time:02}", "event": event, **fields}
    ).encode()


def events(directory: Path, *wanted: str, **options: object) -> list[object]:
    return [e["event"] for e in entries(directory, wanted or None, **options)]  # type: ignore[arg-type]


def test_pieces_become_lines(tmp_path: Path) -> None:
    """Output comes in any pieces; what is written are whole JSON lines."""
    log = LogFile(tmp_path / "users.log", "users")
    whole = line("one", 1) + b"\n" + line("two", 2) + b"\nplain\n\n"
    for start in range(0, len(whole), 7):
        log.feed(whole[start : start + 7])
    log.feed(b"without an end")
    log.finish()
    assert events(tmp_path) == ["one", "two", "plain", "without an end"]
    assert all(parse(text) for text in (tmp_path / "users.log").read_bytes().splitlines())
    assert (tmp_path / "users.log").stat().st_mode & 0o777 == 0o600


def test_they_are_bounded(tmp_path: Path) -> None:
    """Whatever is written, the files stay within the bound, and the newest lines are there."""
    bounds = LogBounds(file_bytes=1_000, kept_files=2, line_bytes=200)
    log = LogFile(tmp_path / "users.log", "users", bounds)
    for number in range(200):
        log.feed(line(f"line {number}", number % 60) + b"\n")
    log.feed(b"y" * 100_000)
    log.finish()
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["users.log", "users.log.1", "users.log.2"]
    assert all(path.stat().st_size <= 1_000 + 400 for path in files)
    kept = events(tmp_path)
    assert "line 199" in kept
    assert "line 0" not in kept


def test_rotation_continues_after_a_restart(tmp_path: Path) -> None:
    """A new supervisor appends and keeps the bound."""
    bounds = LogBounds(file_bytes=300, kept_files=1)
    for number in range(10):
        log = LogFile(tmp_path / "users.log", "users", bounds)
        log.feed(line(f"start {number}", number) + b"\n")
        log.finish()
    assert (tmp_path / "users.log").stat().st_size <= 300
    assert events(tmp_path)[-1] == "start 9"


def test_parts_are_merged_by_time(tmp_path: Path) -> None:
    """One story from several files; one part or one correlation id can be chosen."""
    for part, times in {"gateway": (1, 4), "users": (2, 3)}.items():
        log = LogFile(tmp_path / f"{part}.log", part)
        for time in times:
            log.feed(line(f"{part} {time}", time, correlationId=f"c{time % 2}") + b"\n")
        log.finish()
    assert events(tmp_path) == ["gateway 1", "users 2", "users 3", "gateway 4"]
    assert events(tmp_path, "users") == ["users 2", "users 3"]
    assert events(tmp_path, correlation_id="c1") == ["gateway 1", "users 3"]
    assert events(tmp_path, last=1) == ["gateway 4"]
    assert parts(tmp_path) == ["gateway", "users"]


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    """A crash in the middle of a write costs that line only."""
    (tmp_path / "users.log").write_bytes(b'{"event": "cut\n' + line("whole", 1) + b"\n[1]\n")
    assert events(tmp_path) == ["whole"]


def test_following_survives_rotation(tmp_path: Path) -> None:
    """Nothing written between two looks is missed, also when the file was changed meanwhile."""
    log = LogFile(tmp_path / "users.log", "users", LogBounds(file_bytes=150, kept_files=3))
    log.feed(line("old", 1) + b"\n")
    follower = Follower(tmp_path)
    log.feed(line("a", 2) + b"\n")
    log.feed(line("b", 3) + b"\n")
    assert [entry["event"] for entry in follower.read()] == ["a", "b"]
    log.feed(line("c", 4) + b"\n")
    assert [entry["event"] for entry in follower.read()] == ["c"]
    assert follower.read() == []
    log.finish()


def test_follow_shows_what_matches(tmp_path: Path) -> None:
    """Only the wanted correlation id, until interrupted."""
    log = LogFile(tmp_path / "users.log", "users")
    log.feed(line("before", 1) + b"\n")
    follower = Follower(tmp_path, ("users",))
    shown: list[Entry] = []
    log.feed(line("mine", 2, correlationId="me") + b"\n" + line("other", 3) + b"\n")

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(follower, shown.append, correlation_id="me", sleep=stop)
    assert [entry["event"] for entry in shown] == ["mine"]
    log.finish()


def test_a_line_for_people(tmp_path: Path) -> None:
    """Time, level, part and event first; the rest as name=value; nothing that is null."""
    entry = {
        "timestamp": "2026-01-01T10:11:12.345678Z",
        "level": "info",
        "service": "users",
        "correlationId": None,
        "event": "signed in",
        "duration": 0.1,
    }
    assert readable(entry) == "10:11:12.345 INFO    users         signed in duration=0.1"
