"""The real platform under its real watch: what it tells, what dashboards show, who hears of an outage."""

import asyncio
import math
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from baluarte.demo_data import PASSWORD
from baluarte.embedded import watch
from baluarte.sandbox import Sandbox, reachable_folder, sandbox
from chassis.settings import SERVICES
from scripts.metrics_page import ANNOUNCED, SUPERVISOR, catalogue
from tests.asgi import serving
from tests.monitoring.grafana.test_dashboards import FILES, load, targets
from tests.monitoring.watch import Told, Watch
from tests.servers import HOUSES, unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SPEED = 10.0
"""Of the rules: a scrape every 1.5 s, and an outage of 6 s is one of a minute."""

WINDOW = "10s"
"""In place of `$__rate_interval`: room for a scrape or two that a busy machine misses."""

LONG = 90.0
OUTAGE_SECONDS = 120.0

LOGIN = "mutation($input: LoginInput!) { login(input: $input) { accessToken user { id } } }"
ME = "{ me { id name freshness { state } account { balance { amount } } } }"
TRANSFER = "mutation($input: TransferInput!) { transfer(input: $input) { id status } }"
DEPOSIT = "mutation($input: CashInput!) { deposit(input: $input) { id status } }"
TRACE = "00-{}-00f067aa0ba902b7-01"

EXCEPTIONS = {
    "Orders": "the store is not there yet",
    "Products to order again": "the store is not there yet",
    "Oldest unpaid bonus": "loyalty is not there yet",
    "Failed publishes": "a code appears when a publish fails, and the bus is left alone here",
}
"""Panels that may be empty, and why."""


@dataclass
class Stage:
    """A platform with its watch, after some minutes of a bank's life."""

    platform: Sandbox
    watch: Watch
    began: float

    async def series(self, expression: str) -> list[list[float]]:
        """Values of each series since the beginning, a step a second, without what is not a number."""
        asked = {"query": expression, "start": self.began, "end": time.time(), "step": "1"}
        url = f"{self.watch.prometheus}/api/v1/query_range"
        async with self.watch.session.post(url, data=asked) as response:
            answer = await response.json()
        assert answer["status"] == "success", (expression, answer)
        found = [
            [value for _, text in series["values"] if not math.isnan(value := float(text))]
            for series in answer["data"]["result"]
        ]
        return [values for values in found if values]


class Customers:
    """Two customers and what they do all day."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._tokens: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    async def ask(self, query: str, given: dict[str, Any] | None = None, who: str = "") -> Any:
        body = {"query": query, "variables": {"input": given} if given else {}}
        headers = {"traceparent": TRACE.format(uuid4().hex)}
        if who in self._tokens:
            headers["authorization"] = f"Bearer {self._tokens[who]}"
        async with self._session.post(
            f"{self._url}/graphql", json=body, headers=headers
        ) as response:
            return await response.json()

    async def sign_in(self) -> None:
        for who in ("ana", "bruno"):
            given = {"email": f"{who}@baluarte.example", "password": PASSWORD}
            session = (await self.ask(LOGIN, given))["data"]["login"]
            self._tokens[who] = session["accessToken"]
            self._ids[who] = session["user"]["id"]

    async def a_day(self) -> None:
        """One of each: reads, money, a key that comes again, and mistakes."""
        amount = {"amount": "1.00", "currency": "BRL"}
        paid = {"receiverId": self._ids["bruno"], "amount": amount, "idempotencyKey": str(uuid4())}
        await self.ask(ME, who="ana")
        await self.ask("{ me { name } transactions { edges { node { id } } } }", who="bruno")
        await self.ask(DEPOSIT, {"amount": amount, "idempotencyKey": str(uuid4())}, "ana")
        await self.ask(TRANSFER, paid, "ana")
        await self.ask(TRANSFER, paid, "ana")
        await self.ask("{ nothing }")

    async def live(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Days until `done`; an outage is part of life."""
        async with asyncio.timeout(LONG * 2):
            while not await done():
                await self.a_day()


@asynccontextmanager
async def watched() -> AsyncIterator[Stage]:
    """The platform, lived in: with an outage of users, and a fault on purpose in the ledger."""
    if not watch.found(watch.PROMETHEUS) or not watch.found(watch.ALERTMANAGER):
        unavailable("Prometheus and Alertmanager are not installed: see scripts/servers")
    told = Told()
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(serving(told.app()))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        folder = stack.enter_context(reachable_folder("slack"))
        secret = folder / "address"
        secret.write_text(f"{hook}/hook")
        environ = {"BALUARTE_MONITORING_SPEED": str(SPEED), "BALUARTE_SLACK_URL_FILE": str(secret)}
        began = time.time()
        running = await stack.enter_async_context(
            sandbox("--monitoring", "--chaos", environ=environ)
        )
        urls = running.base("prometheus"), running.base("alertmanager")
        stage = Stage(running, Watch(*urls, told, session), began)
        await live_through(stage)
        yield stage


async def live_through(stage: Stage) -> None:
    """Good days; the ledger hangs, by nobody's wish; good days; users are held down on purpose."""
    told, watch_ = stage.watch.told, stage.watch
    customers = Customers(watch_.session, stage.platform.url)
    await customers.sign_in()

    def heard(start: str, channel: str, service: str) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return bool(about_outages(told, channel, start, service))

        return check

    async def seen_and_heard() -> bool:
        stale = await watch_.query(f"sum(rate(stale_served_age_seconds_count[{WINDOW}])) > 0")
        return bool(stale) and await drilled()

    async def scraped() -> bool:
        return len(await watch_.query("up == 1")) >= 8

    drilled = heard("[PAGE · game day]", "#baluarte-gameday", "users")
    await customers.live(scraped)
    pid = (await stage.platform.parts())["ledger"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        await customers.live(heard("[PAGE]", "#baluarte-page", "ledger"))
    finally:
        os.kill(pid, signal.SIGCONT)
    await customers.live(heard("[RESOLVED]", "#baluarte-page", "ledger"))
    async with stage.platform.fault("users", "hold_down", OUTAGE_SECONDS):
        await customers.live(seen_and_heard)
    await customers.live(heard("[RESOLVED · game day]", "#baluarte-gameday", "users"))


def about_outages(told: Told, channel: str, start: str, service: str) -> list[dict[str, Any]]:
    """Messages about `service` being down; a busy machine may miss scrapes of another one."""
    return [one for one in told.about("ServiceDown", channel, start) if service in one["title"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with watched() as made:
        yield made


@pytest.mark.may_block
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_every_panel_shows_something(stage: Stage, path: Path) -> None:
    """No query of any panel is empty on a platform that lives; exceptions are named, with their reasons."""
    empty = [
        f"{title}: {target['expr']}"
        for title, target in targets(load(path))
        if title not in EXCEPTIONS and not await stage.series(filled(target["expr"]))
    ]

    assert not empty


def filled(expression: str) -> str:
    """An expression with Grafana's variables filled in."""
    return re.sub(r"\$\w+", ".*", expression.replace("$__rate_interval", WINDOW))


@pytest.mark.may_block
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_every_variable_has_values_and_annotations_marks(stage: Stage, path: Path) -> None:
    """What can be chosen is there, and the outage and the fault are marked on every board."""
    board = load(path)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.findall(r"\w+", variable["query"].removeprefix("label_values"))
            values = await stage.watch.get(f"label/{label}/values?match[]={metric}")
            assert values, variable["name"]
    for annotation in board["annotations"]["list"]:
        assert await stage.series(annotation["expr"]), annotation["name"]


@pytest.mark.may_block
async def test_an_exception_is_one(stage: Stage) -> None:
    """A panel that shows something is no exception any more."""
    shown = set()
    for path in FILES:
        for title, target in targets(load(path)):
            if title in EXCEPTIONS and await stage.series(filled(target["expr"])):
                shown.add(title)

    assert not shown


@pytest.mark.may_block
async def test_processes_tell_what_the_page_says(stage: Stage) -> None:
    """Each metric of the page is told by the processes that it names, and nobody tells another."""
    found: dict[str, set[str]] = {}
    for row in await stage.watch.get("targets/metadata?limit=10000"):
        job = row["target"]["job"]
        if job in {*SERVICES, SUPERVISOR} and not row["metric"].startswith("process_"):
            found.setdefault(row["metric"], set()).add(job)
    page = {
        told.metric.name.removesuffix("_total"): set(told.processes) for told in await catalogue()
    }

    assert {name.removesuffix("_total"): jobs for name, jobs in found.items()} == page
    assert not {metric.name for metric in ANNOUNCED} & set(found)


@pytest.mark.may_block
async def test_an_outage_names_its_runbook_and_a_fault_its_game_day(stage: Stage) -> None:
    """A process that hangs pages; one that is held down on purpose is told in the game-day channel."""
    told = stage.watch.told
    page = about_outages(told, "#baluarte-page", "[PAGE]", "ledger")[0]
    drill = about_outages(told, "#baluarte-gameday", "[PAGE", "users")[0]

    assert page["title"] == "[PAGE] ServiceDown · ledger"
    assert drill["title"] == "[PAGE · game day] ServiceDown · users"
    for message in (page, drill):
        (runbook,) = [a["url"] for a in message["actions"] if a["text"] == "Runbook"]
        assert (HOUSES / "docs" / "runbooks" / runbook.rpartition("/")[2]).is_file()


@pytest.mark.may_block
async def test_nobody_is_told_of_what_is_not_in_use(stage: Stage) -> None:
    """A breaker in front of what was never called has not opened: a default platform cries no wolf."""
    opened = 'max_over_time(ALERTS{alertname="CircuitBreakerOpen"}[1h])'
    called = "sum by (job, service) (max_over_time(downstream_call_duration_seconds_count[1h]))"

    assert await stage.watch.query(f"{called} == 0")
    assert not await stage.watch.query(f"{opened} and on (job, service) ({called} == 0)")


@pytest.mark.may_block
async def test_a_trace_is_one_click_away(stage: Stage) -> None:
    """Durations of operations carry exemplars whose trace ids are those that clients sent."""
    query = "graphql_operation_duration_seconds_bucket"
    window = f"start={stage.began}&end={time.time()}"
    found = await stage.watch.get(f"query_exemplars?query={query}&{window}")
    ids = {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}

    assert ids
    assert all(re.fullmatch("[0-9a-f]{32}", trace_id) for trace_id in ids)


@pytest.mark.may_block
async def test_the_ledger_is_watched_and_right(stage: Stage) -> None:
    """After an outage in the middle of payments the check has run, and found no imbalance."""
    off = await stage.series("max by (currency, law) (abs(ledger_imbalance_minor_units))")
    ago = await stage.watch.query("time() - max(ledger_check_last_success_timestamp_seconds)")

    assert {value for values in off for value in values} == {0.0}
    assert 0 <= float(ago[0]["value"][1]) < LONG
