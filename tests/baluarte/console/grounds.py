"""A console as the supervisor serves it, over stand-ins that tell what a test wants."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from baluarte.console.access import Access, draw
from baluarte.console.collector import Collector, Platform
from baluarte.console.names import HEADER, PREFIX
from baluarte.console.routes import Console
from baluarte.embedded.ports import free_port
from baluarte.supervisor import api, occupancy
from baluarte.supervisor.faults import Desk
from baluarte.supervisor.faults.routes import routes
from baluarte.supervisor.supervisor import StopRequest, Supervisor
from chaos.roster import FILE, Owner, OwnerKind, Roster
from chassis.metrics import Metrics
from chassis.policy_metrics import OUTCOMES, REASONS, STATES
from graphql_api.telemetry import OUTCOMES as ANSWERS
from graphql_api.telemetry import Subject, Telemetry
from tests.baluarte.supervisor.parts import Heard, fake

ME = Subject("me", "query")


class Process:
    """A stand-in for a process: its `/metrics`, made by the real thing where there is one.

    Attributes:
        silent: it takes connections, and says nothing of use.
    """

    def __init__(self, *calls: str, operations: bool = False, checks: bool = False) -> None:
        metrics = self.metrics = Metrics()
        self.silent = False
        self.padding = ""
        self.told = Telemetry(metrics, {"query": ["me"]}) if operations else None
        self.state = metrics.gauge("circuit_breaker_state", "-", service=calls, state=STATES)
        self.calls = metrics.histogram(
            "downstream_call_duration_seconds", "-", service=calls, outcome=OUTCOMES
        )
        self.refused = metrics.counter(
            "downstream_rejections_total", "-", service=calls, reason=tuple(REASONS.values())
        )
        self.changed = metrics.counter(
            "circuit_breaker_transitions_total",
            "-",
            service=calls,
            **{"from": STATES, "to": STATES},
        )
        self.copies = metrics.counter("fallback_served_total", "-", service=calls, kind=("stale",))
        for name in calls:
            self.breaker(name, "closed")
        if checks:
            self.sums = metrics.gauge("ledger_imbalance_minor_units", "-", currency=(), law=())
            self.checked = metrics.gauge("ledger_check_last_success_timestamp_seconds", "-")
            self.sums.labels("BRL", "balances").set(0)

    def breaker(self, service: str, state: str) -> None:
        for one in STATES:
            self.state.labels(service, one).set(one == state)

    def answered(self, many: int, outcome: str = ANSWERS[0], seconds: float = 0.02) -> None:
        assert self.told is not None
        for _ in range(many):
            self.told.answered(ME, outcome, seconds)

    def page(self) -> str:
        return self.metrics.expose("")[0].decode() + self.padding

    async def show(self, _: web.Request) -> web.Response:
        return web.Response(status=503) if self.silent else web.Response(text=self.page())


@contextlib.asynccontextmanager
async def listening(process: Process) -> AsyncIterator[str]:
    """The URL of a stand-in."""
    app = web.Application()
    app.router.add_get("/metrics", process.show)
    async with api.serving(app, 0) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Visitor:
    """A browser, as far as the wire can tell."""

    session: aiohttp.ClientSession
    url: str
    origin: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str = "", body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, JSON or text, and headers."""
        told = {HEADER: "1", "Origin": self.origin or self.url, **self.headers, **headers}
        told = {name: value for name, value in told.items() if value}
        data = None if body is None else json.dumps(body)
        async with self.session.request(
            method, f"{self.url}{PREFIX}{path}", data=data, headers=told
        ) as answer:
            text = await answer.text()
            found = json.loads(text) if "json" in answer.content_type else text
            return answer.status, found, answer.headers

    async def sign_in(self, secret: str) -> int:
        return (await self.ask("POST", "/session", {"secret": secret}))[0]


@dataclass
class Ground:
    """A console that runs."""

    state: Path
    supervisor: Supervisor
    desk: Desk
    collector: Collector
    access: Access
    token: str
    port: int
    gateway: Process
    ledger: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def ground(
    state: Path, *, prometheus: str | None = None, clock: Any = None
) -> AsyncIterator[Ground]:
    """A supervisor under `--chaos` with two fake parts, whose metrics are the stand-ins'."""
    gateway = Process("users", "ledger", "valkey", operations=True)
    ledger = Process("users", "postgres", checks=True)
    supervisor = Supervisor(state, Heard())
    desk = Desk(lambda: supervisor.parts, supervisor.say, supervisor.crashed)
    supervisor.notes = desk.about
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(occupancy.occupied(state))
        urls = {
            "gateway": await stack.enter_async_context(listening(gateway)),
            "ledger": await stack.enter_async_context(listening(ledger)),
        }
        address = occupancy.announce(state, free_port())
        platform = Platform(state, urls, True, prometheus, supervisor.snapshot)
        collector = Collector(platform, crashed=supervisor.crashed)
        token = draw(state)
        access = Access(token, clock) if clock else Access(token)
        console = Console(state, address.port, access, collector)
        owner = Owner(kind=OwnerKind.SUPERVISOR, name="supervisor", url=address.url)
        roster = Roster(
            gateway=urls["gateway"],
            supervisor_token=address.token,
            chaos_token="none",
            owners=(owner,),
        )
        (state / FILE).write_bytes(msgspec.json.encode(roster))
        guarded = {PREFIX: console.application()}
        app = api.application(supervisor, address.token, routes(desk), guarded)
        await stack.enter_async_context(desk.keeping())
        await stack.enter_async_context(collector.keeping())
        await stack.enter_async_context(api.serving(app, address.port))
        await supervisor.start([fake("gateway"), fake("ledger")])
        try:
            yield Ground(
                *(state, supervisor, desk, collector, access, token, address.port),
                *(gateway, ledger),
            )
        finally:
            await supervisor.stop(StopRequest())


@contextlib.asynccontextmanager
async def visiting(found: Ground) -> AsyncIterator[Visitor]:
    """A browser with a cookie jar of its own."""
    jar = aiohttp.CookieJar(unsafe=True)  # an address is no name
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Visitor(session, found.url)
