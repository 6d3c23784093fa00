"""Where the console looks: pages of the processes, owners of faults, Prometheus.

Every look has a bound and ends without an exception, whatever it meets: that something does not answer is
what people come here to see.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from baluarte.console.curves import Window
from baluarte.console.reading import MAX_PAGE_BYTES, read
from chaos import roster as rosters
from chaos.owners.switch import list_all

PAGE_SECONDS: Final = 3.0
"""For one page of one process: they are on this machine, but it may be a busy one."""

SILENT_SECONDS: Final = 8.0
"""Without a page after which nothing is claimed of a process any more: a busy machine may be late."""

FAULT_SECONDS: Final = 1.5
"""For one owner of faults to say what it has."""

ALERT_SECONDS: Final = 2.0
MAX_ALERTS: Final = 100
_MAX_OVER: Final = 20
_MAX_ANSWER: Final = 2 * 1024 * 1024
_MAX_TEXT: Final = 500


async def _body(
    session: aiohttp.ClientSession, url: str, seconds: float, most: int
) -> bytes | None:
    """What is answered with 200 within the bounds, else None."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    found = bytearray()
    try:
        async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
            async for piece in answer.content.iter_any():
                found += piece
                if len(found) > most:
                    return None
            return bytes(found) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


class Pages:
    """Reads `/metrics` of the processes.

    Attributes:
        windows: the last readings by part; one without any does not answer.
    """

    def __init__(
        self, urls: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._urls = dict(urls)
        self._clock = clock
        self.windows: dict[str, Window] = {name: Window() for name in urls}

    async def look(self, session: aiohttp.ClientSession, name: str) -> None:
        """One page of one of them."""
        url = f"{self._urls[name]}/metrics"
        body = await _body(session, url, PAGE_SECONDS, MAX_PAGE_BYTES)
        now, window = self._clock(), self.windows[name]
        if body is not None:
            window.add(read(body.decode(errors="replace"), now))
        elif window.last is not None and now - window.last.at > SILENT_SECONDS:
            window.lost()


@dataclass(slots=True)
class Faults:
    """Asks every owner of faults, under `--chaos`.

    Attributes:
        possible: whether this platform takes any.
        known: those in place, as the page shows them.
        silent: owners that live and did not say in time what they have.
    """

    state: Path
    possible: bool
    known: list[dict[str, Any]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    async def look(self) -> None:
        """Ask all of them."""
        if not self.possible:
            return
        try:
            roster = await asyncio.to_thread(rosters.read, self.state)
        except (OSError, msgspec.MsgspecError):
            self.known, self.silent = [], ["the roster (chaos.json) cannot be read"]
            return
        said = await list_all(roster, FAULT_SECONDS)
        self.known = [
            {
                "id": f"{fault.owner}/{fault.id}",
                "target": fault.target,
                "type": fault.type,
                "owner": fault.owner,
                "remaining": None if fault.remaining is None else round(fault.remaining, 1),
                "met": fault.met,
                "about": ", ".join(f"{k} {v}" for k, v in fault.about.items())[:_MAX_TEXT],
            }
            for one in said
            for fault in one.faults
        ]
        paused = {fault["target"] for fault in self.known if fault["type"] == "pause"}
        # Who is paused says nothing, and that is known.
        self.silent = [one.owner for one in said if one.problem and one.owner not in paused]

    def on(self, part: str) -> list[dict[str, Any]]:
        """Those at a part or at a connection of it."""
        return [fault for fault in self.known if fault["target"] == part]


@dataclass(slots=True)
class Alerts:
    """Asks Prometheus, where one runs (`--monitoring`).

    Attributes:
        active: pending and firing ones; None when Prometheus did not answer.
        over: those that fired and have ended, the latest first.
    """

    url: str | None
    active: list[dict[str, Any]] | None = None
    over: list[dict[str, Any]] = field(default_factory=list)
    _told: list[dict[str, Any]] = field(default_factory=list)
    """What Prometheus said last: an alert may end while it is silent."""

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Ask for those that are pending or firing."""
        if self.url is None:
            return
        body = await _body(session, f"{self.url}/api/v1/alerts", ALERT_SECONDS, _MAX_ANSWER)
        found = None if body is None else _alerts(body)
        if found is not None:
            self._note_ends(found)
            self._told = found
        self.active = found

    def _note_ends(self, found: Collection[Mapping[str, Any]]) -> None:
        there = {alert["key"] for alert in found}
        ended = [
            {**alert, "state": "over", "endedAt": round(time.time(), 1)}
            for alert in self._told
            if alert["key"] not in there and alert["state"] == "firing"
        ]
        self.over = [*ended, *self.over][:_MAX_OVER]


class _Alert(msgspec.Struct):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    state: str = ""
    activeAt: str = ""  # noqa: N815 - as Prometheus says it


class _Found(msgspec.Struct):
    alerts: list[_Alert] = []


class _Answer(msgspec.Struct):
    data: _Found


def _alerts(body: bytes) -> list[dict[str, Any]] | None:
    try:
        told = msgspec.json.decode(body, type=_Answer).data.alerts
    except msgspec.MsgspecError:
        return None
    # The watchdog always fires: it says that the watch is alive, and nothing of the platform.
    return [_shown(alert) for alert in told if alert.labels.get("alertname") != "Watchdog"][
        :MAX_ALERTS
    ]


def _shown(alert: _Alert) -> dict[str, Any]:
    labels = alert.labels
    text = alert.annotations.get("summary") or alert.annotations.get("description", "")
    return {
        "key": " ".join(f"{name}={value}" for name, value in sorted(labels.items())),
        "name": labels.get("alertname", "?"),
        "severity": labels.get("severity", ""),
        "about": labels.get("service", ""),
        "chaos": labels.get("chaos") == "active",
        "state": alert.state,
        "since": alert.activeAt,
        "text": text[:_MAX_TEXT],
    }
