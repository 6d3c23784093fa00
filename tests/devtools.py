"""A browser without a screen that is driven: by the DevTools protocol, over its WebSocket.

For pages that go on living after they were loaded; `tests/system/chromium.py` reads those that do not.
"""

import asyncio
import base64
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.browser import FLAGS, MISSING, program
from tests.servers import unavailable
from tests.waiting import eventually

START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
"""A busy machine may stop a browser for a while."""

_FLAGS = (
    *FLAGS,
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


class Page:
    """One tab.

    Attributes:
        console: what it wrote to its console, and what it met: exceptions, requests that failed.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self.console: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol. Raises RuntimeError where the browser refuses it."""
        self._count += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._count] = answer
        await self._socket.send_json({"id": self._count, "method": method, "params": params})
        told: dict[str, Any] = await asyncio.wait_for(answer, ANSWER_SECONDS)
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        found: dict[str, Any] = told["result"]
        return found

    async def run(self, script: str) -> Any:
        """The value of an expression, a promise's included. Raises RuntimeError for what it throws."""
        told = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise RuntimeError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    async def until(self, script: str, seconds: float = 30.0) -> Any:
        """Wait until an expression is true, and give its value. What throws is not true yet: a page loads."""

        async def value() -> Any:
            try:
                return await self.run(script)
            except RuntimeError as error:
                raise AssertionError(str(error)) from error

        return await eventually(value, seconds, why=script)

    async def go(self, url: str) -> None:
        """Load a page."""
        await self.call("Page.navigate", url=url)

    async def look(self, width: int, height: int, *, scheme: str = "light") -> None:
        """Have a screen of that size, and that colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, path: Path, height: int | None = None) -> None:
        """A PNG of the whole page, or of its first `height` pixels."""
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"]}
        told = await self.call(
            "Page.captureScreenshot", captureBeyondViewport=True, clip={**clip, "scale": 1}
        )
        await asyncio.to_thread(path.write_bytes, base64.b64decode(told["data"]))

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                answer = self._answers.pop(told["id"], None)
                if answer is not None and not answer.done():
                    answer.set_result(told)
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.consoleAPICalled":
            said = " ".join(str(arg.get("value", arg)) for arg in params["args"])
            self.console.append(f"{params['type']}: {said}")
        elif method == "Runtime.exceptionThrown":
            self.console.append(f"exception: {params['exceptionDetails']}")
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self.console.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._socket.close()


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """A tab of a browser of its own. Skips (in CI: fails) where there is no Chromium."""
    browser = program()
    if browser is None:
        unavailable(MISSING)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        profile = Path(home) / "profile"
        process = await asyncio.create_subprocess_exec(
            browser,
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await eventually(lambda: _port(profile), START_SECONDS, why="Chromium is up")
            async with aiohttp.ClientSession() as session:
                url = f"http://127.0.0.1:{port}/json/new?about:blank"
                async with session.put(url) as answer:
                    told = await answer.json(content_type=None)
                socket = await session.ws_connect(
                    told["webSocketDebuggerUrl"], max_msg_size=64 * 1024 * 1024
                )
                opened = Page(socket)
                try:
                    for domain in ("Page", "Runtime", "Log"):
                        await opened.call(f"{domain}.enable")
                    yield opened
                finally:
                    await opened.close()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _port(profile: Path) -> int | None:
    """Where it listens, which it writes down once it does."""
    try:
        first = (profile / "DevToolsActivePort").read_text().split("\n")[0]
    except OSError:
        return None
    return int(first) if first.isdecimal() else None
