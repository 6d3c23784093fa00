"""The parts' logs on disk: JSON lines, one file per part, bounded by rotation.

`LogFile` writes, `entries` reads back (rotated files first), merged over parts by time.
"""

import contextlib
import heapq
import io
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]

_NEWLINE = b"\n"
_PLAIN = re.compile(r"[\w-]+", re.ASCII)
"""Text that JSON writes as it is."""


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much a part may leave on disk: `file_bytes` × (`kept_files` + 1)."""

    file_bytes: int = 5_000_000
    kept_files: int = 3
    line_bytes: int = 16_384
    """Longer lines are cut: a runaway dump must not push everything else out."""


def now_stamp() -> str:
    """The time as log lines carry it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class LogFile:
    """Appends what a part writes, in whole lines; text that is no JSON object is wrapped into one."""

    path: Path
    part: str
    bounds: LogBounds = field(default_factory=LogBounds)
    _stream: io.FileIO | None = None
    _size: int = 0
    _partial: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take a piece of output; an unfinished line waits for its rest, up to the line bound."""
        *lines, self._partial = (self._partial + data).split(_NEWLINE)
        for line in lines:
            self._append(line)
        if len(self._partial) > self.bounds.line_bytes:
            self._append(self._partial)
            self._partial = b""

    def finish(self) -> None:
        """Write an unfinished last line and close."""
        if self._partial:
            self._append(self._partial)
            self._partial = b""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def say(self, event: str, level: str = "info", **fields: object) -> None:
        """A line of the supervisor's own."""
        entry = {"timestamp": now_stamp(), "level": level, "service": self.part, "event": event}
        self._write(json.dumps({**entry, **fields}).encode())

    def _append(self, line: bytes) -> None:
        line = line.strip()[: self.bounds.line_bytes]
        if not line:
            return
        if line.startswith(b"{") and line.endswith(b"}"):
            self._write(line)
        else:
            text = line.decode(errors="replace")
            self.say(text, "error" if text.startswith(("ERROR", "FATAL", "PANIC")) else "info")

    def _write(self, line: bytes) -> None:
        stream = self._stream or self._open()
        if self._size + len(line) > self.bounds.file_bytes and self._size:
            stream.close()
            self._rotate()
            stream = self._open()
        # A full disk must not end the supervisor, which is what keeps the rest running.
        with contextlib.suppress(OSError):
            stream.write(line + _NEWLINE)
            self._size += len(line) + 1

    def _open(self) -> io.FileIO:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stream = io.FileIO(self.path, "a")
        self.path.chmod(0o600)
        self._size = self.path.stat().st_size
        return self._stream

    def _rotate(self) -> None:
        for number in range(self.bounds.kept_files, 0, -1):
            older = self.path if number == 1 else _rotated(self.path, number - 1)
            if older.exists():
                older.replace(_rotated(self.path, number))
        if not self.bounds.kept_files:
            self.path.unlink()


def _rotated(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def parts(directory: Path) -> list[str]:
    """The parts that have written anything."""
    return sorted(path.stem for path in directory.glob("*.log"))


def _files(directory: Path, part: str) -> list[Path]:
    """A part's files, oldest first."""
    path = directory / f"{part}.log"
    numbered = [(int(old.suffix[1:]), old) for old in directory.glob(f"{part}.log.[0-9]*")]
    return [old for _, old in sorted(numbered, reverse=True)] + [path] * path.exists()


def parse(line: bytes | str) -> Entry | None:
    """The entry in a line, or None for what is cut or empty."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _of_part(directory: Path, part: str, needle: bytes = b"") -> Iterator[Entry]:
    """Entries of lines that hold `needle`; the others are passed over unparsed, ten times as fast."""
    for path in _files(directory, part):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
            chosen = (line for line in stream if needle in line)
            yield from (entry for line in chosen if (entry := parse(line)) is not None)


def matches(entry: Entry, correlation_id: str | None) -> bool:
    return correlation_id is None or entry.get("correlationId") == correlation_id


def entries(
    directory: Path,
    wanted: Iterable[str] | None = None,
    *,
    correlation_id: str | None = None,
    last: int | None = None,
) -> list[Entry]:
    """Entries of the `wanted` parts (or all) by time, at most the `last` ones."""
    plain = correlation_id is not None and _PLAIN.fullmatch(correlation_id)
    needle = correlation_id.encode() if correlation_id is not None and plain else b""
    streams = [_of_part(directory, part, needle) for part in wanted or parts(directory)]
    merged = heapq.merge(*streams, key=lambda entry: str(entry.get("timestamp", "")))
    chosen = (entry for entry in merged if matches(entry, correlation_id))
    return list(deque(chosen, maxlen=last))


@dataclass(slots=True)
class Follower:
    """Reads what is appended after it was made; survives rotation."""

    directory: Path
    wanted: tuple[str, ...] = ()
    _positions: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in self.wanted or parts(self.directory):
            with contextlib.suppress(FileNotFoundError):
                status = (self.directory / f"{part}.log").stat()
                self._positions[part] = (status.st_ino, status.st_size)

    def read(self) -> list[Entry]:
        """New entries of all parts, by time."""
        found: list[Entry] = []
        for part in self.wanted or parts(self.directory):
            found.extend(self._read_part(part))
        return sorted(found, key=lambda entry: str(entry.get("timestamp", "")))

    def _read_part(self, part: str) -> list[Entry]:
        path = self.directory / f"{part}.log"
        inode, position = self._positions.get(part, (0, 0))
        found: list[Entry] = []
        with contextlib.suppress(FileNotFoundError):
            current = path.stat().st_ino
            if inode and current != inode:  # rotated away: first the rest of the old file
                old = _rotated(path, 1)
                if old.exists() and old.stat().st_ino == inode:
                    found += _tail(old, position)[0]
                position = 0
            new, position = _tail(path, position)
            self._positions[part] = (current, position)
            found += new
        return found


def _tail(path: Path, position: int) -> tuple[list[Entry], int]:
    """Whole lines from `position` on, and the position after them."""
    with path.open("rb") as stream:
        stream.seek(position)
        data = stream.read()
    whole = data.rfind(_NEWLINE) + 1
    lines = data[:whole].split(_NEWLINE)
    return [entry for line in lines if (entry := parse(line)) is not None], position + whole


def tail(path: Path, most: int) -> list[Entry]:
    """The entries in the last `most` bytes of a file; none where there is no file."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
            stream.seek(max(size - most, 0))
            lines = stream.read(most).split(_NEWLINE)
    except FileNotFoundError:
        return []
    whole = lines[1:] if size > most else lines
    return [entry for line in whole if (entry := parse(line)) is not None]


def seconds_of(entry: Entry) -> float | None:
    """When it was written, in seconds since 1970; None where it does not say so."""
    try:
        return datetime.fromisoformat(str(entry.get("timestamp"))).timestamp()
    except ValueError:
        return None


def follow(
    follower: Follower,
    show: Callable[[Entry], None],
    *,
    correlation_id: str | None = None,
    pause: float = 0.2,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show new entries until interrupted."""
    while True:
        for entry in follower.read():
            if matches(entry, correlation_id):
                show(entry)
        sleep(pause)


_SHOWN_FIRST = ("timestamp", "level", "service", "event")


def readable(entry: Entry) -> str:
    """An entry as one line for people: time, level, part, event, then the other fields."""
    clock = str(entry.get("timestamp", ""))[11:23].ljust(12)
    level = str(entry.get("level", "")).upper().ljust(7)
    part = str(entry.get("service", "")).ljust(13)
    rest = " ".join(
        f"{name}={value}"
        for name, value in entry.items()
        if name not in _SHOWN_FIRST and value is not None
    )
    return f"{clock} {level} {part} {entry.get('event', '')} {rest}".rstrip()
