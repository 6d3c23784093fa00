"""The slowest requests of the last minutes, from what the gateway has logged; and the story of one of them.

Each process writes one line a request, with its duration (`chassis/observed.py`). They are read as they are
appended, on a thread, and only while somebody looks.
"""

import heapq
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from baluarte.supervisor import logfiles

PART: Final = "gateway"

SPAN: Final = 600.0
"""Seconds that a request is remembered."""

KEPT: Final = 8
"""Requests that are shown."""

_REMEMBERED: Final = 400
"""Requests that are kept to choose from: the slowest; when those grow old, others have their place."""

_PAUSE: Final = 60.0
"""Seconds without a look after which all that came since is not read, but the end of the log."""

FIRST_BYTES: Final = 512 * 1024
"""Of the log that are read at first: some thousand requests."""

MAX_LINES: Final = 200
"""Of one story."""

CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(slots=True)
class SlowRequests:
    """Keeps the slowest. `read` blocks, and is called by one thread at a time.

    Args:
        logs: the folder of the parts' log files.
        clock: seconds since 1970, as log lines carry it.
    """

    logs: Path
    clock: Callable[[], float] = time.time
    _follower: logfiles.Follower | None = None
    _read_at: float = 0.0
    _kept: dict[tuple[str, float], dict[str, Any]] = field(default_factory=dict)
    """What is shown, by id and time: the beginning of the log may be read twice."""

    def read(self) -> list[dict[str, Any]]:
        """The slowest, slowest first."""
        now = self.clock()
        if self._follower is None or now - self._read_at > _PAUSE:
            self._kept.clear()
            self._follower = logfiles.Follower(self.logs, (PART,))
            new = logfiles.tail(self.logs / f"{PART}.log", FIRST_BYTES)
        else:
            new = self._follower.read()
        for entry in new:
            self._take(entry)
        self._read_at, oldest = now, now - SPAN
        self._kept = {key: one for key, one in self._kept.items() if one["at"] >= oldest}
        self._thin()
        return self._slowest(KEPT)

    def _slowest(self, many: int) -> list[dict[str, Any]]:
        return heapq.nlargest(many, self._kept.values(), key=lambda one: one["duration"])

    def _thin(self) -> None:
        if len(self._kept) > _REMEMBERED:
            self._kept = {(one["id"], one["at"]): one for one in self._slowest(_REMEMBERED)}

    def _take(self, entry: logfiles.Entry) -> None:
        duration, found = entry.get("duration"), entry.get("correlationId")
        if entry.get("event") != "request" or entry.get("route") != "/graphql":
            return
        if not isinstance(duration, int | float) or not isinstance(found, str):
            return
        if not CORRELATION_ID.fullmatch(found):
            return
        at = logfiles.seconds_of(entry)
        if at is None:
            return
        self._kept[found, at] = {
            "id": found,
            "at": at,
            "duration": round(float(duration), 4),
            "status": entry.get("status"),
            "code": entry.get("code"),
        }
        if len(self._kept) > 4 * _REMEMBERED:
            self._thin()


def story(logs: Path, correlation_id: str) -> list[dict[str, Any]]:
    """What all parts have written about one request, by time. Blocks: reads every log.

    Each line has `timestamp`, `level`, `service`, `event`, and the rest of its fields as one text.
    """
    found = logfiles.entries(logs, correlation_id=correlation_id, last=MAX_LINES)
    return [_line(entry) for entry in found]


_APART: Final = ("timestamp", "level", "service", "event", "correlationId")


def _line(entry: logfiles.Entry) -> dict[str, Any]:
    rest = " ".join(
        f"{name}={value}"
        for name, value in entry.items()
        if name not in _APART and value is not None
    )
    return {**{name: str(entry.get(name) or "") for name in _APART[:4]}, "rest": rest}
