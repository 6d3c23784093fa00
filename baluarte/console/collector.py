"""Looks at the platform, and tells viewers what is new: every second while somebody looks, else seldom."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp

from baluarte.console import view as views
from baluarte.console.curves import History, Point, point, stale_rate
from baluarte.console.slow import SlowRequests
from baluarte.console.sources import Alerts, Faults, Pages
from baluarte.console.verdict import verdict

LIVE_SECONDS: Final = 1.0
"""Between looks while somebody watches."""

IDLE_SECONDS: Final = 15.0
"""Between looks while nobody does: whoever opens the console in an outage sees how it began, and it costs
less than Prometheus would."""

LINGER_SECONDS: Final = 30.0
"""Nobody has gone before that: a page that is loaded anew leaves no gap."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What is looked at.

    Attributes:
        state: the state directory.
        processes: base URLs of those that tell metrics, by part.
        chaos: whether faults may be in place.
        prometheus: its base URL, if one runs.
        bus: where it is, in words.
        snapshot: how the parts are, as `Supervisor.snapshot` says it.
    """

    state: Path
    processes: Mapping[str, str]
    chaos: bool
    prometheus: str | None
    snapshot: Callable[[], Mapping[str, Any]]
    bus: str = "in postgres"


@dataclass(slots=True)
class Collector:
    """Keeps `view` and `history` up to date while `keeping` is open.

    Args:
        publish: hears of each new view, while somebody watches.
        crashed: hears of a bug in here, after which nothing is looked at any more.
    """

    platform: Platform
    publish: Callable[[], None] = lambda: None
    crashed: Callable[[BaseException], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    view: dict[str, Any] | None = None
    history: History = field(default_factory=History)
    pages: Pages = field(init=False)
    faults: Faults = field(init=False)
    alerts: Alerts = field(init=False)
    slow: SlowRequests = field(init=False)
    slowest: list[dict[str, Any]] = field(default_factory=list)
    _edges: set[tuple[str, str]] = field(default_factory=set)
    """Connections that were ever told of: who does not answer has them still."""
    _watchers: int = 0
    _left_at: float | None = None
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    _failed: bool = False

    def __post_init__(self) -> None:
        platform = self.platform
        self.pages = Pages(platform.processes, self.clock)
        self.faults = Faults(platform.state, platform.chaos)
        self.alerts = Alerts(platform.prometheus)
        self.slow = SlowRequests(platform.state / "logs")

    @property
    def watched(self) -> bool:
        """Whether somebody looks, or has just gone."""
        if self._watchers:
            return True
        return self._left_at is not None and self.clock() - self._left_at < LINGER_SECONDS

    @property
    def failed(self) -> bool:
        """Whether a bug has ended it."""
        return self._failed

    @contextlib.contextmanager
    def watching(self) -> Any:
        """Somebody looks while the block runs."""
        self._watchers += 1
        self._came.set()
        try:
            yield
        finally:
            self._watchers -= 1
            self._left_at = self.clock()

    @contextlib.asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        connector = aiohttp.TCPConnector(limit=len(self.platform.processes) + 4)
        async with aiohttp.ClientSession(connector=connector) as session:
            # Each in a loop of its own: an owner that hangs holds up nobody else's news.
            looks: list[tuple[str, Callable[[], Awaitable[None]], bool]] = [
                *(
                    (name, partial(self.pages.look, session, name), False)
                    for name in self.platform.processes
                ),
                ("faults", self._look_for_faults, False),
                ("alerts", partial(self.alerts.look, session), False),
                ("log", self._read_log, True),
                ("view", self._renew, False),
            ]
            tasks = [
                asyncio.create_task(self._loop(look, only_watched), name=f"console {name}")
                for name, look, only_watched in looks
            ]
            for task in tasks:
                task.add_done_callback(self._ended)
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _loop(self, look: Callable[[], Awaitable[None]], only_watched: bool) -> None:
        while True:
            began = self.clock()
            if self.watched or not only_watched:
                await look()
            await self._pause(began)

    async def _pause(self, began: float) -> None:
        """Until the next look is due, or somebody comes."""
        if self.watched:
            await asyncio.sleep(max(LIVE_SECONDS - (self.clock() - began), 0.05))
            return
        self._came.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), IDLE_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = True
            self.crashed(error)
            self.publish()

    async def _renew(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Make the point and the view of what everybody has found so far."""
        at, windows = self.now(), self.pages.windows
        self.history.add(point(at, windows["gateway"], stale_rate(windows.values())))
        if self.watched:
            self.view = self._view(at, self.history.points[-1])
            self.publish()

    async def _look_for_faults(self) -> None:
        await self.faults.look()
        labels = {one["id"]: f"{one['type']} at {one['target']}" for one in self.faults.known}
        self.history.bands.see(self.now(), labels)

    async def _read_log(self) -> None:
        self.slowest = await asyncio.to_thread(self.slow.read)

    def _view(self, at: float, now: Point) -> dict[str, Any]:
        faults = self.faults
        seen = views.Seen(at, self.platform.snapshot()["parts"], self.pages.windows, faults.known)
        rows = views.breakers(seen)
        lines = views.edges(seen, rows, self._edges)
        self._edges |= {(line["from"], line["to"]) for line in lines}
        made: dict[str, Any] = {
            "at": round(at, 2),
            "parts": views.parts(seen),
            "nodes": views.nodes(seen, lines, bus=self.platform.bus),
            "edges": lines,
            "breakers": rows,
            "ledger": views.ledger(seen),
            "faults": {
                "possible": faults.possible,
                "known": faults.known,
                "silent": faults.silent,
            },
            "alerts": {
                "watched": self.alerts.url is not None,
                "active": self.alerts.active,
                "over": self.alerts.over,
            },
            "slow": self.slowest,
            "bands": [[b.label, round(b.since, 1), b.until] for b in self.history.bands.all],
        }
        return {**made, "verdict": verdict(made, now), "point": now.told()}
