"""A run's eye on the watch: old alerts are waited for, new ones heard, and their end is seen."""

import asyncio
from collections.abc import Callable
from typing import Final

from chaos.engine import contracts
from chaos.engine.contracts import Told
from chaos.engine.ports import Alerts, Notice
from chaos.engine.state import State
from chaos.record import AlertSeen, Finding
from chaos.scenarios.scenario import Scenario

HEAR_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 0.5
"""Between looks at alerts that are to end."""

QUIET_SECONDS: Final = 1_800.0
"""Nominal, for alerts of an earlier run to end: the short window of a page that burns slowly."""

MAX_QUIET_SECONDS: Final = 90.0
"""The same on the clock, for rules at production's pace."""

MAX_NOTICES: Final = 1_000
"""Of a run: some are a dozen; a storm of them is cut."""

NO_WATCH: Final = "not judged: nobody watches this platform; start it with --monitoring"


class Vigil:
    """Of one run.

    Args:
        alerts: None: nothing is judged.
        now: seconds of the run.
    """

    def __init__(
        self, scenario: Scenario, alerts: Alerts | None, state: State, now: Callable[[], float]
    ) -> None:
        self._contracts = scenario.contracts
        self._first = min((fault.at for fault in scenario.faults), default=0.0)
        self._alerts, self._state, self._now = alerts, state, now
        self._notices: list[Notice] = []
        self._before: frozenset[contracts.Key] = frozenset()
        self._rules: frozenset[str] | None = None

    async def quiet(self) -> None:
        """Wait, for a bounded time, until nothing of the contracts fires, is about to, or ends."""
        if self._alerts is None:
            return
        limit = self._now() + min(QUIET_SECONDS / self._alerts.speed, MAX_QUIET_SECONDS)
        said = False
        self._rules = await self._ask_rules(self._alerts, limit)
        while standing := await self._standing(self._alerts):
            if self._now() >= limit:
                names = ", ".join(
                    sorted(f"{alert} {service}".strip() for alert, service in standing)
                )
                self._state.say(f"still there from before: {names}", level="warning")
                return
            if not said:
                self._state.say("alerts from before are waited for")
                said = True
            await asyncio.sleep(LOOK_SECONDS)

    async def note_before(self) -> None:
        """Remember what stands just before the first fault: it is not of its making."""
        if self._alerts is not None:
            standing = await self._alerts.standing()
            self._before = frozenset() if standing is None else standing

    async def hear(self) -> None:
        """Take in messages as they come."""
        while self._alerts is not None:
            await self._take(self._alerts)
            await asyncio.sleep(HEAR_SECONDS)

    async def see_out(self) -> None:
        """Wait until every alert that was demanded has come and gone, or is too late."""
        while await self.is_needed():  # noqa: ASYNC110 - of a server
            await asyncio.sleep(HEAR_SECONDS)

    async def is_needed(self) -> bool:
        """Whether there is anything to wait for at the end."""
        if self._alerts is None or self._told(self._alerts) is None:
            return False
        standing = await self._alerts.standing() or frozenset()
        told = self._told(self._alerts)
        return told is not None and not all(
            contracts.is_over(one, told, standing) for one in self._contracts
        )

    def seen(self) -> tuple[AlertSeen, ...]:
        """Every contract and what came of it."""
        if self._alerts is None:
            return contracts.not_judged(self._contracts, NO_WATCH)
        told = self._told(self._alerts)
        if told is None:
            return contracts.not_judged(self._contracts, "not judged: there was no fault")
        return contracts.judged(self._contracts, told)

    def findings(self, seen: tuple[AlertSeen, ...]) -> list[Finding]:
        """What of it counts for the verdict."""
        if self._alerts is None or self._told(self._alerts) is None:
            return []
        return contracts.findings(seen, speed=self._alerts.speed)

    def detected(self, seen: tuple[AlertSeen, ...]) -> tuple[float | None, float | None]:
        """Seconds from the first fault to the first demanded alert; the same at production's pace."""
        if self._alerts is None or self._state.faults_at is None:
            return None, None
        found = contracts.detected(seen, self._contracts, self._state.faults_at + self._first)
        return found, None if found is None else found * self._alerts.speed

    async def _ask_rules(self, alerts: Alerts, limit: float) -> frozenset[str] | None:
        while (rules := await alerts.rules()) is None and self._now() < limit:  # noqa: ASYNC110 - of a server
            await asyncio.sleep(LOOK_SECONDS)
        return rules

    async def _standing(self, alerts: Alerts) -> frozenset[contracts.Key]:
        standing = (await alerts.standing() or frozenset()) | alerts.unfinished()
        return frozenset(
            key for key in standing if any(one.covers(*key) for one in self._contracts)
        )

    async def _take(self, alerts: Alerts) -> None:
        for notice in await alerts.heard():
            if notice.at < 0.0 or len(self._notices) >= MAX_NOTICES:
                continue
            self._notices.append(notice)
            title = notice.title or f"{notice.alert} {notice.service}".strip()
            ends = "" if notice.title or notice.firing else " is over"
            self._state.say(f"people are told in {notice.channel}: {title}{ends}")

    def _told(self, alerts: Alerts) -> Told | None:
        """None before the first fault."""
        if self._state.faults_at is None:
            return None
        return Told(
            notices=self._notices,
            injected_at=self._state.faults_at + self._first,
            reverted_at=self._state.reverted_at,
            speed=alerts.speed,
            place=alerts.place,
            before=self._before,
            rules=self._rules,
            now=self._now(),
        )
