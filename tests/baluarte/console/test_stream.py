"""What viewers are sent: a whole view at first, then what is new, and never more than they take."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from baluarte.console import collector as collectors
from baluarte.console import sources
from baluarte.console import stream as streams
from baluarte.console.collector import Collector, Platform
from baluarte.console.stream import Stream, _Viewer
from baluarte.supervisor import api
from baluarte.supervisor.faults import request as requests
from tests.baluarte.console.grounds import Ground, Visitor, ground, visiting
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collectors, "LIVE_SECONDS", 0.1)  # a look of the test's own patience
        async with ground(tmp_path_factory.mktemp("stream") / "state") as running:
            running.ledger.checked.set_to_current_time()
            yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(place: Ground) -> AsyncIterator[Visitor]:
    async with visiting(place) as found:
        await found.sign_in(place.token)
        yield found


class Events:
    """A stream, as an EventSource reads it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> tuple[str, dict[str, Any]]:
        name = ""
        async with asyncio.timeout(30):
            async for line in self._answer.content:
                field, _, value = line.decode().strip().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    return name, json.loads(value)
        raise EOFError

    async def until(self, check: Any) -> dict[str, Any]:
        """The first view that fits."""
        async with asyncio.timeout(30):
            while True:
                _, view = await self.next()
                if check(view):
                    return view


@contextlib.asynccontextmanager
async def following(visitor: Visitor) -> AsyncIterator[Events]:
    timeout = aiohttp.ClientTimeout(total=None)
    url = f"{visitor.url}/console/stream"
    async with visitor.session.get(url, timeout=timeout, read_bufsize=2**20) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield Events(answer)


async def test_a_viewer_gets_all_of_it_and_then_what_is_new(
    place: Ground, visitor: Visitor
) -> None:
    """History once; then one point at a time, in order."""
    async with following(visitor) as events:
        name, first = await events.next()
        assert name == "whole"
        assert first["points"][-1] == first["point"]
        assert {part["name"] for part in first["parts"]} == {"gateway", "ledger"}
        name, second = await events.next()
        assert name == "now"
        assert "points" not in second
        assert second["point"][0] >= first["point"][0]


async def test_what_happens_is_seen(
    place: Ground, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests, a breaker that opens, a fault with its lease, a process that falls silent."""
    async with following(visitor) as events:
        await events.until(lambda view: view["point"][1] is not None)
        place.gateway.answered(50, "degraded", 0.2)
        view = await events.until(lambda view: view["point"][1])
        assert view["point"][3] == 1.0
        assert 0.1 < view["point"][6] <= 0.25
        place.gateway.breaker("users", "open")
        view = await events.until(lambda view: view["breakers"][0]["state"] == "open")
        assert "the breaker from gateway to users is open" in view["verdict"]["reasons"]
        body = b'{"part": "ledger", "kind": "hold_down", "seconds": 60}'
        await place.desk.inject(requests.read(body, ["ledger"]))
        view = await events.until(lambda view: view["faults"]["known"])
        assert view["faults"]["known"][0]["remaining"] > 0
        view = await events.until(lambda view: view["bands"])
        assert view["bands"][0][0] == "hold_down at ledger"
        await place.desk.revert_all()
        await events.until(lambda view: view["bands"][0][2] is not None)
        monkeypatch.setattr(sources, "SILENT_SECONDS", 0.5)
        place.ledger.silent = True
        view = await events.until(lambda view: not view["ledger"]["known"])
        [edge] = [e for e in view["edges"] if (e["from"], e["to"]) == ("ledger", "users")]
        assert edge["breaker"] is None
        place.ledger.silent = False
        place.gateway.breaker("users", "closed")


async def test_viewers_are_bounded(place: Ground, visitor: Visitor) -> None:
    """One more is refused with a code, and let in when another has left."""

    async def nobody() -> bool:
        return not place.collector._watchers

    await eventually(nobody)  # the last one of an earlier test may be on its way out
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(streams.MAX_VIEWERS):
            await stack.enter_async_context(following(visitor))
        status, body, _ = await visitor.ask("GET", "/stream")
        assert (status, body["code"]) == (503, "TOO_MANY_VIEWERS")
        assert (await visitor.ask("GET", "/session"))[1]["full"] is True

    async def room() -> bool:
        return not (await visitor.ask("GET", "/session"))[1]["full"]

    await eventually(room)
    async with following(visitor) as events:
        assert (await events.next())[0] == "whole"


async def test_a_stream_ends_with_its_session(place: Ground, visitor: Visitor) -> None:
    """Whoever signs out in one tab looks no longer in another."""
    async with following(visitor) as events:
        await events.next()
        await visitor.ask("DELETE", "/session")
        with pytest.raises(EOFError):
            await events.until(lambda _: False)


async def test_a_slow_viewer_gets_the_latest(tmp_path: Path) -> None:
    """It has room for one piece of news; what it has missed comes as a whole view, and nothing piles up."""
    platform = Platform(tmp_path, {"gateway": "-"}, False, None, lambda: {"parts": []})
    made = Collector(platform)
    stream = Stream(made)
    made.publish = stream.publish
    viewer = _Viewer()
    stream._viewers.add(viewer)
    with made.watching():
        for _ in range(1000):
            made.renew()
    assert viewer.news.is_set()
    assert viewer.missed == 999
    assert set(vars(viewer)) == {"news", "missed"}


async def test_nobody_watches_so_nothing_is_shown(tmp_path: Path) -> None:
    """No view is made; but points go on, for whoever comes in an outage."""
    platform = Platform(tmp_path, {"gateway": "-"}, False, None, lambda: {"parts": []})
    made = Collector(platform)
    made.renew()
    assert made.view is None
    assert len(made.history.points) == 1


async def test_an_alert_of_the_night_is_there_in_the_morning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fires and ends while nobody looks; whoever comes then is told that it did."""
    monkeypatch.setattr(collectors, "IDLE_SECONDS", 0.05)
    labels = {"alertname": "ServiceDown", "severity": "page", "service": "users"}
    firing = [{"labels": labels, "state": "firing"}]
    asked = 0

    async def show(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"data": {"alerts": firing}})

    app = web.Application()
    app.router.add_get("/api/v1/alerts", show)
    async with api.serving(app, 0) as port:
        prometheus = f"http://127.0.0.1:{port}"
        made = Collector(Platform(tmp_path, {}, False, prometheus, lambda: {"parts": []}))
        async with made.keeping():
            await eventually(lambda: made.alerts.active)
            firing.clear()
            await eventually(lambda: made.alerts.over)
    assert [(one["name"], one["state"]) for one in made.alerts.over] == [("ServiceDown", "over")]
    assert asked >= 2


async def test_who_has_just_left_may_come_back(tmp_path: Path) -> None:
    """For a while it goes on as if it were watched; then it rests."""
    now = [100.0]
    platform = Platform(tmp_path, {"gateway": "-"}, False, None, lambda: {"parts": []})
    made = Collector(platform, clock=lambda: now[0])
    seen = [made.watched]
    with made.watching():
        seen.append(made.watched)
    for seconds in (collectors.LINGER_SECONDS - 1, 1.0):
        now[0] += seconds
        seen.append(made.watched)
    assert seen == [False, True, True, False]


async def test_a_bug_ends_the_looking_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The viewers are let go, and whoever keeps the console hears of it."""
    heard: list[BaseException] = []

    def broken() -> dict[str, Any]:
        raise ZeroDivisionError

    platform = Platform(tmp_path, {"gateway": "http://127.0.0.1:1"}, False, None, broken)
    made = Collector(platform, crashed=heard.append)
    with made.watching():
        async with made.keeping():
            await eventually(lambda: made.failed)
    assert isinstance(heard[0], ZeroDivisionError)
