"""A stand-in for Slack's webhook on loopback: it keeps what people would have been told, and reads it."""

import contextlib
import json
import re
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from chaos.engine.ports import Notice
from chaos.grammar.names import SEVERITIES

MAX_BODY: Final = 256 * 1024
"""Bytes of a message; ours have a few thousand."""

MAX_MESSAGES: Final = 2_000
"""Kept until they are heard: a storm of alerts is cut at its beginning, and fills no memory."""

GAME_DAY: Final = "#baluarte-gameday"
"""Where alerts go that a fault on purpose explains."""

_TITLE: Final = re.compile(
    r"\[(?P<state>[A-Z]+)(?P<drill> · game day)?\] (?P<alert>\w+)"
    r"(?: · (?P<service>[\w-]+))?(?: \(\d+\))?"
)
_RESOLVED: Final = "RESOLVED"
_COLOURS: Final = {"page": "danger", "warn": "warning", "info": "#439fe0"}
_CUSTOMERS: Final = {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w+"),
    "somebody's or something's id": re.compile(
        r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I
    ),
    "a token": re.compile(r"eyJ[\w-]{8,}"),
}
"""What a message to a channel must not hold."""


@dataclass(frozen=True, slots=True)
class Read:
    """What an attachment of a message says."""

    alert: str
    service: str
    firing: bool
    channel: str
    title: str
    flaws: tuple[str, ...]


class Hook:
    """What was posted, with the time at which it came.

    Args:
        clock: a monotonic clock, the one that runs go by.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: deque[tuple[float, Read]] = deque(maxlen=MAX_MESSAGES)
        self._firing: set[tuple[str, str, str]] = set()
        self.url = ""

    def post(self, message: Mapping[str, Any]) -> None:
        """Take a message. Raises ValueError for what is none of Alertmanager's."""
        at = self._clock()
        for read in readings(message):
            key = (read.alert, read.service, read.channel)
            (self._firing.add if read.firing else self._firing.discard)(key)
            self._kept.append((at, read))

    def taken(self, start: float) -> list[Notice]:
        """The messages since the last call, each once.

        Args:
            start: of the run, on the hook's clock.
        """
        found = []
        while self._kept:
            at, read = self._kept.popleft()
            found.append(
                Notice(
                    at=at - start,
                    alert=read.alert,
                    service=read.service,
                    firing=read.firing,
                    channel=read.channel,
                    title=read.title,
                    flaws=read.flaws,
                )
            )
        return found

    def unfinished(self) -> frozenset[tuple[str, str]]:
        """Alerts, by name and service, that were told and whose end was not."""
        return frozenset((alert, service) for alert, service, _ in self._firing)


def readings(message: Mapping[str, Any]) -> Iterator[Read]:
    """Each attachment of a message as Alertmanager posts it. Raises ValueError."""
    channel, attachments = message.get("channel"), message.get("attachments")
    if not isinstance(channel, str) or not isinstance(attachments, list) or not attachments:
        raise ValueError("a message has a channel and attachments")
    for one in attachments:
        title = str(one.get("title", ""))
        found = _TITLE.fullmatch(title)
        if found is None:
            raise ValueError(f"{title!r} is no title of an alert")
        firing = found["state"] != _RESOLVED
        flaws = tuple(_flaws(one, found, channel, firing=firing))
        yield Read(found["alert"], found["service"] or "", firing, channel, title, flaws)


def _flaws(
    one: Mapping[str, Any], title: re.Match[str], channel: str, *, firing: bool
) -> Iterator[str]:
    """What is wrong with a message: somebody who is woken by it must know what to do."""
    severity = SEVERITIES.get(title["alert"], "")
    text = str(one.get("text", ""))
    colour = _COLOURS.get(title["state"].lower(), "") if firing else "good"
    if one.get("color") != colour:
        yield f"its colour is {one.get('color')!r}, not {colour!r}"
    if not text.strip():
        yield "it says nothing"
    elif firing == (": over." in text):
        yield "it reads as if it were over" if firing else "it does not say that it is over"
    wanted = GAME_DAY if title["drill"] else f"#baluarte-{severity}"
    if firing and channel != wanted:
        yield f"it is told in {channel}, not in {wanted}"
    links = {action.get("text"): str(action.get("url", "")) for action in one.get("actions", ())}
    if not links.get("Runbook", "").endswith(f"/{title['alert']}.md"):
        yield "it has no link to its runbook"
    whole = json.dumps(one, ensure_ascii=False)
    yield from (f"it holds {what}" for what, looks in _CUSTOMERS.items() if looks.search(whole))


@contextlib.asynccontextmanager
async def standing_in(clock: Callable[[], float] = time.monotonic) -> AsyncIterator[Hook]:
    """A hook that listens on loopback while the block runs, behind a path that nobody guesses."""
    hook = Hook(clock)

    async def take(request: web.Request) -> web.Response:
        try:
            hook.post(json.loads(await request.read()))
        except (ValueError, AttributeError) as error:
            return web.Response(status=400, text=str(error))
        return web.Response(text="ok")

    app = web.Application(client_max_size=MAX_BODY)
    path = f"/services/{secrets.token_urlsafe()}"
    app.router.add_post(path, take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        yield hook
    finally:
        await runner.cleanup()
