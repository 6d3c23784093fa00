"""The watch over a platform, by wire: Prometheus, Alertmanager, a stand-in for Slack if there is one."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from chaos.engine.ports import Notice
from chaos.engine.slack import Hook
from chaos.engine.wire import Wire
from chaos.roster import Monitoring

IN_SLACK: Final = "Slack"
IN_ALERTMANAGER: Final = "Alertmanager, not in Slack"
ALERTMANAGER: Final = "Alertmanager"
"""In place of a channel."""


class Watcher:
    """What the watch knows, and what it tells people.

    Args:
        hook: to which the platform's Alertmanager sends; None: what Alertmanager holds counts as told.
        start: of the run, on `clock`, which is the hook's as well.
    """

    def __init__(
        self,
        wire: Wire,
        monitoring: Monitoring,
        hook: Hook | None,
        start: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wire, self._at, self._hook = wire, monitoring, hook
        self._start, self._clock = start, clock
        self._held: frozenset[tuple[str, str]] = frozenset()
        self.speed = monitoring.speed
        self.place = IN_ALERTMANAGER if hook is None else IN_SLACK

    async def heard(self) -> list[Notice]:
        """The messages since the last call; without a hook, what has come to or left Alertmanager."""
        if self._hook is not None:
            return self._hook.taken(self._start)
        found = await self._active()
        if found is None:
            return []
        at = self._clock() - self._start
        changed = [
            Notice(at=at, alert=alert, service=service, firing=firing, channel=ALERTMANAGER)
            for firing, which in ((True, found - self._held), (False, self._held - found))
            for alert, service in sorted(which)
        ]
        self._held = found
        return changed

    def unfinished(self) -> frozenset[tuple[str, str]]:
        return self._held if self._hook is None else self._hook.unfinished()

    async def standing(self) -> frozenset[tuple[str, str]] | None:
        """Pending and firing alerts of Prometheus, and those that Alertmanager still holds."""
        told = await self._json(f"{self._at.prometheus}/api/v1/alerts")
        held = await self._active()
        if told is None or held is None:
            return None
        return held | {_key(one["labels"]) for one in told["data"]["alerts"]}

    async def rules(self) -> frozenset[str] | None:
        told = await self._json(f"{self._at.prometheus}/api/v1/rules?type=alert")
        if told is None:
            return None
        return frozenset(
            rule["name"] for group in told["data"]["groups"] for rule in group["rules"]
        )

    async def _active(self) -> frozenset[tuple[str, str]] | None:
        """What Alertmanager would tell: neither hidden by another alert nor silenced."""
        url = f"{self._at.alertmanager}/api/v2/alerts?silenced=false&inhibited=false"
        told = await self._json(url)
        return None if told is None else frozenset(_key(one["labels"]) for one in told)

    async def _json(self, url: str) -> Any:
        page = await self._wire.page(url)
        try:
            return None if page is None else json.loads(page)
        except ValueError:
            return None


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("alertname", ""), labels.get("service", "")
