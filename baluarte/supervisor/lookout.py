"""The watch beside a platform (`up --monitoring`): its settings, and what it looks at."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from baluarte.embedded import ports, watch
from baluarte.embedded.command import Command
from baluarte.embedded.watch import EmbeddedAlertmanager, EmbeddedPrometheus, Outlook
from baluarte.errors import BaluarteError, Problem
from chassis import settings
from monitoring.alertmanager.config import Slack
from monitoring.links import LINKS, Links
from monitoring.pace import Pace
from monitoring.prometheus.config import Targets

if TYPE_CHECKING:
    from baluarte.supervisor.plan import Plan

SETTINGS: Final = (
    "BALUARTE_SLACK_URL_FILE",
    "BALUARTE_RUNBOOKS_URL",
    "BALUARTE_GRAFANA_URL",
    "BALUARTE_MONITORING_SPEED",
)

_MOST_SPEED: Final = 100.0
"""Beyond it the scrapes would take all of a processor."""


def read_outlook(reader: settings.Reader) -> Outlook:
    """How the watch differs from production's, from the environment."""
    url_file = reader.get("BALUARTE_SLACK_URL_FILE", parse=_file, default=None)
    links = Links(
        reader.get("BALUARTE_RUNBOOKS_URL", parse=_base, default=LINKS.runbooks),
        reader.get("BALUARTE_GRAFANA_URL", parse=_base, default=LINKS.grafana),
    )
    pace = reader.get("BALUARTE_MONITORING_SPEED", parse=_pace, default=Pace())
    return Outlook(None if url_file is None else Slack(url_file), pace, links)


def missing() -> list[Problem]:
    """What `--monitoring` needs and this machine has not."""
    problems: list[Problem] = []
    for names in (watch.PROMETHEUS, watch.ALERTMANAGER):
        try:
            watch.program(names)
        except BaluarteError as error:
            problems += error.problems
    return problems


def servers(plan: "Plan") -> Iterator[tuple[str, int, Callable[[], Command]]]:
    """Name, port and preparation of each part of the watch."""
    if plan.outlook is None:
        return
    found = {name: plan.ports[name] for name in ("prometheus", "alertmanager")}
    at = {name: f"{ports.LOOPBACK}:{port}" for name, port in found.items()}
    services = {
        name: tuple(f"{ports.LOOPBACK}:{plan.ports[part]}" for part in plan.members(name))
        for name in settings.SERVICES
    }
    tellers = ("supervisor", "proxies") if plan.chaos else ("supervisor",)
    others = {name: (f"{ports.LOOPBACK}:{plan.ports[name]}",) for name in tellers}
    targets = Targets(services, at["prometheus"], at["alertmanager"], others)
    manager = EmbeddedAlertmanager(plan.state / "alertmanager", found["alertmanager"], plan.outlook)
    server = EmbeddedPrometheus(
        plan.state / "prometheus", found["prometheus"], targets, plan.outlook
    )
    yield "alertmanager", found["alertmanager"], manager.prepare
    yield "prometheus", found["prometheus"], server.prepare


def _file(text: str) -> str:
    path = Path(text).absolute()
    if not path.is_file():
        raise ValueError(f"names {text!r}, which is no file; put the webhook's address into one")
    return str(path)


def _base(text: str) -> str:
    (url,) = settings.base_urls(text)
    return url


def _pace(text: str) -> Pace:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= _MOST_SPEED:
        raise ValueError(f"is {text!r}; use a number from 1 (production) to {_MOST_SPEED:g}")
    return Pace(speed)
