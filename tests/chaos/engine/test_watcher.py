"""The watch as a run sees it, through real servers: what stands, what was told, and which rules there are."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from chaos.engine.contracts import Told, judged
from chaos.engine.ports import Notice
from chaos.engine.slack import Hook
from chaos.engine.watcher import IN_ALERTMANAGER, IN_SLACK, Watcher
from chaos.engine.wire import wire
from chaos.roster import Monitoring
from chaos.scenarios.contracts import Contract
from tests.asgi import serving
from tests.monitoring.watch import SPEED, Standin, Watch, watching
from tests.waiting import eventually

LONG = 60.0
DOWN = Contract(fires="ServiceDown", service="users", within=LONG * SPEED, resolves=LONG * SPEED)
KEY = ("ServiceDown", "users")


@asynccontextmanager
async def watched(target: Standin, without: str = "") -> AsyncIterator[tuple[Watch, Watcher, Hook]]:
    """A watch over a stand-in for the users service, and a run's eye on it that looks at Alertmanager."""
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(serving(target.app()))
        watch = await stack.enter_async_context(
            watching({"users": base.removeprefix("http://")}, without=without)
        )
        lines = await stack.enter_async_context(wire())
        at = Monitoring(prometheus=watch.prometheus, alertmanager=watch.alertmanager, speed=SPEED)
        yield watch, Watcher(lines, at, None, time.monotonic()), Hook()


@pytest.mark.may_block
async def test_an_outage_is_seen_in_alertmanager_and_in_its_messages() -> None:
    """Without a stand-in for Slack, Alertmanager's own word counts, and the finding says so; both agree."""
    users = Standin()
    async with watched(users) as (watch, watcher, hook):
        rules = await eventually(watcher.rules, LONG)
        assert rules is not None
        assert "ServiceDown" in rules
        await eventually(lambda: watch.query('up{service="users"} == 1'), LONG)

        users.page = None
        seen: list[Notice] = []

        async def told(*, firing: bool) -> bool:
            seen.extend(await watcher.heard())
            return any((one.alert, one.service, one.firing) == (*KEY, firing) for one in seen)

        await eventually(lambda: told(firing=True), LONG)
        assert KEY in (await watcher.standing() or ())
        assert KEY in watcher.unfinished()

        users.page = ""
        await eventually(lambda: told(firing=False), LONG)
        assert KEY not in watcher.unfinished()
        await eventually(lambda: watch.told.about(*KEY[:1], "#baluarte-page", "[RESOLVED]"), LONG)

        for message in watch.told.messages:
            hook.post(message)
        messages = [one for one in hook.taken(0.0) if (one.alert, one.service) == KEY]
        assert [one.firing for one in messages] == [True, False]
        assert [one.flaws for one in messages] == [(), ()]
        ours = [one for one in seen if (one.alert, one.service) == KEY]
        for notices, place in ((ours, IN_ALERTMANAGER), (messages, IN_SLACK)):
            (verdict,) = judged([DOWN], everything(notices, rules, place))
            assert verdict.held is True, verdict
        assert (
            "seen in Alertmanager, not in Slack"
            in judged([DOWN], everything(ours, rules, IN_ALERTMANAGER))[0].measured
        )


@pytest.mark.may_block
async def test_rules_without_an_alert_turn_its_contract_red() -> None:
    """The mutant: rule files from which the alert is gone. Nobody waits for what cannot come."""
    async with watched(Standin(), without="ServiceDown") as (_, watcher, _):
        rules = await eventually(watcher.rules, LONG)

    assert rules is not None
    assert "CircuitBreakerOpen" in rules
    (verdict,) = judged([DOWN], everything([], rules, IN_SLACK))
    assert verdict.held is False
    assert verdict.measured == "Prometheus has no rule ServiceDown"


async def test_a_watch_that_is_away_knows_nothing() -> None:
    """It neither answers nor has been told anything: None, and not silence."""
    async with wire() as lines:
        nowhere = Monitoring(prometheus="http://127.0.0.1:9", alertmanager="http://127.0.0.1:9")
        watcher = Watcher(lines, nowhere, None, 0.0)
        assert await watcher.rules() is None
        assert await watcher.standing() is None
        assert await watcher.heard() == []


def everything(notices: list[Notice], rules: frozenset[str], place: str) -> Told:
    """All that was told, by a fault that began before it and ended before its end."""
    first = min((one.at for one in notices), default=0.0)
    last = max((one.at for one in notices), default=1.0)
    return Told(
        notices=notices,
        injected_at=first - 1.0,
        reverted_at=first,
        speed=SPEED,
        place=place,
        before=frozenset(),
        rules=rules,
        now=last + 1.0,
    )
