"""From a series to Slack, through real servers: what fires, what is hidden, and what is said when it is over.

Every duration of the rules is divided by one factor; the rules are production's.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.asgi import serving
from tests.monitoring.watch import SPEED, Standin, Watch, watching
from tests.waiting import eventually

LONG = 60.0
"""Seconds that a busy machine may take for what takes five on an idle one."""

CLOSED = 'circuit_breaker_state{{service="users",state="closed"}} {}\n'
FAULT = 'chaos_fault_active{{experiment="users-down",service="users",fault="error"}} {}\n'
ROWS = """
graphql_operation_duration_seconds_count{outcome="ok"} 5
graphql_operation_duration_seconds_bucket{outcome="ok",le="1.0"} 5
message_age_seconds_bucket{queue="user-events.ledger",le="30.0"} 5
"""


@dataclass
class Scene:
    """Two stand-ins and the watch over them."""

    users: Standin
    gateway: Standin
    watch: Watch

    async def told(self, alert: str, channel: str, start: str) -> dict[str, Any]:
        """The first attachment about an alert."""

        def found() -> list[dict[str, Any]]:
            return self.watch.told.about(alert, channel, start)

        why = f"{start} {alert} in {channel}"
        return (await eventually(found, LONG, why=why))[0]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    users, gateway = Standin(), Standin(ROWS + CLOSED.format(1))
    async with AsyncExitStack() as stack:
        bases = [await stack.enter_async_context(serving(one.app())) for one in (users, gateway)]
        targets = {
            name: base.removeprefix("http://")
            for name, base in zip(("users", "gateway"), bases, strict=True)
        }
        made = Scene(users, gateway, await stack.enter_async_context(watching(targets)))
        await eventually(lambda: made.watch.query('up{service="users"} == 1'), LONG)
        yield made


@pytest.mark.may_block
async def test_an_outage_is_told_once_and_its_end_too(scene: Scene) -> None:
    """The page names what is the case; its symptoms are hidden; when it is over, the words are others."""
    scene.users.page = None
    scene.gateway.page = ROWS + CLOSED.format(0)

    fired = await scene.told("ServiceDown", "#baluarte-page", "[PAGE]")
    assert fired["title"] == "[PAGE] ServiceDown · users"
    assert fired["color"] == "danger"
    assert "*No process of users answers*" in fired["text"]
    assert "Every scrape of users has failed for a minute." in fired["text"]
    assert "over" not in fired["text"]
    buttons = {action["text"]: action["url"] for action in fired["actions"]}
    assert buttons["Runbook"].endswith("/public/runbooks/ServiceDown.md")
    assert buttons["Dashboard"].endswith("/d/baluarte-overview")
    assert buttons["Query"].startswith(f"{scene.watch.prometheus}/graph?g0.expr=max+by")
    assert buttons["Silence"].startswith(f"{scene.watch.alertmanager}/#/silences/new?filter=%7B")
    assert "alertname%3D%22ServiceDown%22" in buttons["Silence"]

    async def symptom_is_hidden() -> bool:
        alerts = await scene.watch.alerts()
        breaker = [a for a in alerts if a["labels"]["alertname"] == "CircuitBreakerOpen"]
        return bool(breaker) and bool(breaker[0]["status"]["inhibitedBy"])

    await eventually(symptom_is_hidden, LONG)

    scene.gateway.page = ROWS + CLOSED.format(1)

    async def symptom_is_over() -> bool:
        alerts = await scene.watch.alerts()
        return not [a for a in alerts if a["labels"]["alertname"] == "CircuitBreakerOpen"]

    await eventually(symptom_is_over, LONG)  # what hides it must outlive it
    scene.users.page = ""
    over = await scene.told("ServiceDown", "#baluarte-page", "[RESOLVED]")

    assert over["title"] == "[RESOLVED] ServiceDown · users"
    assert over["color"] == "good"
    assert "*No process of users answers*: over." in over["text"]
    assert "It lasted" in over["text"]
    assert "has failed" not in over["text"]
    assert not scene.watch.told.about("CircuitBreakerOpen", "#baluarte-warn", "[")


@pytest.mark.may_block
async def test_a_game_day_is_told_apart_until_the_fault_ends(scene: Scene) -> None:
    """An alert of an active fault is in its own channel; if it outlives the fault, people are warned."""
    scene.gateway.page = ROWS + CLOSED.format(0) + FAULT.format(1)

    drilled = await scene.told("CircuitBreakerOpen", "#baluarte-gameday", "[WARN")
    assert drilled["title"] == "[WARN · game day] CircuitBreakerOpen · users"
    assert "gateway has not closed its breaker to users for a minute." in drilled["text"]
    assert not scene.watch.told.about("CircuitBreakerOpen", "#baluarte-warn", "[")

    scene.gateway.page = ROWS + CLOSED.format(0) + FAULT.format(0)
    real = await scene.told("CircuitBreakerOpen", "#baluarte-warn", "[WARN]")

    assert real["title"] == "[WARN] CircuitBreakerOpen · users"
    assert real["color"] == "warning"


@pytest.mark.may_block
async def test_wrong_money_pages_in_the_middle_of_a_game_day(scene: Scene) -> None:
    """No fault on purpose excuses an imbalance: it goes to the page channel, marked by nothing."""
    fault = FAULT.format(1).replace("users", "ledger")
    off = 'ledger_imbalance_minor_units{service="ledger",currency="BRL",law="balances"} -1\n'
    scene.gateway.page = ROWS + fault + off

    told = await scene.told("LedgerImbalance", "#baluarte-page", "[PAGE]")

    assert told["title"] == "[PAGE] LedgerImbalance · ledger"
    assert "The ledger is off by 1 minor units." in told["text"]


@pytest.mark.may_block
async def test_every_rule_is_loaded_and_well(scene: Scene) -> None:
    """All groups are evaluated without an error, by the server that people will ask."""
    speed = SPEED

    async def all_evaluated() -> bool:
        groups = (await scene.watch.get("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return all(rule["health"] == "ok" for rule in rules) and len(rules) > 60

    await eventually(all_evaluated, LONG)
    watchdog = await scene.watch.query('ALERTS{alertname="Watchdog",alertstate="firing"}')
    interval = (await scene.watch.get("rules"))["groups"][0]["interval"]
    assert len(watchdog) == 1
    assert interval == pytest.approx(15 / speed)
