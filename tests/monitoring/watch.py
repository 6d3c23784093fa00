"""A real Prometheus and a real Alertmanager, with stand-ins for what they watch and whom they tell."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from baluarte.embedded import watch
from baluarte.embedded.command import Command
from baluarte.embedded.ports import free_port
from baluarte.embedded.watch import EmbeddedAlertmanager, EmbeddedPrometheus, Outlook
from baluarte.supervisor.blueprint import readiness
from monitoring.alertmanager.config import Slack
from monitoring.links import LINKS
from monitoring.pace import Pace
from monitoring.prometheus.config import Targets
from tests.asgi import serving
from tests.servers import START_SECONDS, Server, reachable_directory, unavailable

SPEED = 30.0
"""Every duration of the rules, in tests."""


@dataclass
class Told:
    """A stand-in for Slack's webhook: it keeps what it is sent."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> Starlette:
        async def take(request: Request) -> Response:
            self.messages.append(await request.json())
            return PlainTextResponse("ok")

        return Starlette(routes=[Route("/hook", take, methods=["POST"])])

    def about(self, alert: str, channel: str, start: str) -> list[dict[str, Any]]:
        """Attachments about an alert in a channel whose title starts so."""
        return [
            attachment
            for message in self.messages
            if message["channel"] == channel
            for attachment in message["attachments"]
            if alert in attachment["title"] and attachment["title"].startswith(start)
        ]


@dataclass
class Standin:
    """A target that tells what a test wants; down while `page` is None."""

    page: str | None = ""

    def app(self) -> Starlette:
        async def metrics(_: Request) -> Response:
            if self.page is None:
                return PlainTextResponse("down", 503)
            return PlainTextResponse(self.page, media_type="text/plain; version=0.0.4")

        return Starlette(routes=[Route("/metrics", metrics)])


@dataclass
class Watch:
    """Both servers, running."""

    prometheus: str
    alertmanager: str
    told: Told
    session: aiohttp.ClientSession

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant answer of Prometheus."""
        url = f"{self.prometheus}/api/v1/query"
        async with self.session.get(url, params={"query": expression}) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def get(self, path: str) -> Any:
        """An answer of Prometheus' API."""
        async with self.session.get(f"{self.prometheus}/api/v1/{path}") as response:
            return (await response.json())["data"]

    async def alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager holds, hidden alerts too."""
        async with self.session.get(f"{self.alertmanager}/api/v2/alerts") as response:
            found: list[dict[str, Any]] = await response.json()
            return found


@contextlib.contextmanager
def running(command: Command, log: Path, port: int) -> Any:
    server = Server(command, log)
    server.start()
    try:
        server.wait_ready(lambda: _ready(port), START_SECONDS)
        yield server
    finally:
        server.kill()


async def _ready(port: int) -> bool:
    return await readiness(port, "/-/ready")()


@asynccontextmanager
async def watching(
    targets: dict[str, str], *, speed: float = SPEED, without: str = ""
) -> AsyncIterator[Watch]:
    """Prometheus that scrapes `targets` (service → host:port), Alertmanager, and a stand-in for Slack.

    Args:
        without: a mutant of the rules: this alert is gone from them.
    """
    if not watch.found(watch.PROMETHEUS) or not watch.found(watch.ALERTMANAGER):
        unavailable("Prometheus and Alertmanager are not installed: see scripts/servers")
    told = Told()
    with reachable_directory("watch") as folder:
        async with serving(told.app()) as hook, aiohttp.ClientSession() as session:
            (folder / "slack").write_text(f"{hook}/hook")
            outlook = Outlook(Slack(str(folder / "slack")), Pace(speed), LINKS)
            ports = free_port(), free_port()
            at = f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"
            manager = EmbeddedAlertmanager(folder / "am", ports[1], outlook)
            all_targets = Targets({name: (where,) for name, where in targets.items()}, *at, {})
            server = EmbeddedPrometheus(folder / "prom", ports[0], all_targets, outlook)
            command = server.prepare()
            if without:
                _remove(folder / "prom" / "rules", without)
            with (
                running(manager.prepare(), folder / "am.txt", ports[1]),
                running(command, folder / "prom.txt", ports[0]),
            ):
                yield Watch(f"http://{at[0]}", f"http://{at[1]}", told, session)


def _remove(rules: Path, alert: str) -> None:
    """Take an alert out of the rule files."""
    for path in rules.iterdir():
        document = yaml.safe_load(path.read_text())
        for group in document["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != alert]
        path.write_text(yaml.safe_dump(document))
