"""Sends views to browsers as server-sent events, as fast as each of them reads, and no faster.

`whole` is a view with all of the history: the first that a viewer gets, and the next after it has missed one.
`now` is a view with its newest point.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from baluarte.console.collector import Collector

MAX_VIEWERS: Final = 8
"""Pages that are open at a time."""

SEND_SECONDS: Final = 10.0
"""A viewer that has not taken a view within that is gone: phones leave without a word."""

FIRST_SECONDS: Final = 5.0
"""Longest wait for a view before the stream says that it lives."""

RETRY_MILLISECONDS: Final = 2000
"""After which a browser comes back by itself."""


class _Viewer:
    """One page. It has room for one piece of news: the latest."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.missed = 0

    def tell(self) -> None:
        self.missed += self.news.is_set()
        self.news.set()


class Stream:
    """All viewers of one collector."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._viewers: set[_Viewer] = set()
        self._closed = False
        self._encoded: tuple[float, bytes] | None = None

    @property
    def full(self) -> bool:
        return len(self._viewers) >= MAX_VIEWERS

    def publish(self) -> None:
        """There is a new view."""
        for viewer in self._viewers:
            viewer.tell()

    async def close(self, _: web.Application | None = None) -> None:
        """Let all viewers go; their browsers come back when there is somebody again."""
        self._closed = True
        self.publish()

    async def serve(self, request: web.Request, may_stay: Callable[[], bool]) -> web.StreamResponse:
        """Send until the viewer leaves, may not stay any more, or the stream is closed."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        viewer = _Viewer()
        self._viewers.add(viewer)
        try:
            with self._collector.watching():
                await self._send(response, f"retry: {RETRY_MILLISECONDS}\n\n".encode())
                await self._tell(response, viewer, may_stay)
        except (ConnectionError, TimeoutError):
            pass  # it has left
        finally:
            self._viewers.discard(viewer)
        return response

    async def _tell(
        self, response: web.StreamResponse, viewer: _Viewer, may_stay: Callable[[], bool]
    ) -> None:
        whole = True
        while not self._closed and not self._collector.failed and may_stay():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(viewer.news.wait(), FIRST_SECONDS)
            if not viewer.news.is_set():
                await self._send(response, b": waiting\n\n")
                continue
            viewer.news.clear()
            whole, viewer.missed = whole or viewer.missed > 0, 0
            if self._collector.view is None:
                continue
            await self._send(response, self._event(whole=whole))
            whole = False

    @staticmethod
    async def _send(response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await response.write(data)

    def _event(self, *, whole: bool) -> bytes:
        view = self._collector.view or {}
        if whole:
            points = [point.told() for point in self._collector.history.points]
            return _event("whole", {**view, "points": points})
        if self._encoded is None or self._encoded[0] != view["at"]:
            self._encoded = view["at"], _event("now", view)
        return self._encoded[1]


def _event(name: str, data: Any) -> bytes:
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"event: {name}\ndata: {text}\n\n".encode()
