"""The rule files."""

from collections.abc import Callable, Mapping
from typing import Final

from monitoring.links import LINKS, Links
from monitoring.pace import NORMAL, Pace
from monitoring.prometheus import burn, invariants, meta, recording, thresholds
from monitoring.prometheus.alert import Alert
from monitoring.yaml_text import dump

ALERTS: Final[Mapping[str, Callable[[Pace], list[Alert]]]] = {
    "burn": burn.alerts,
    "thresholds": thresholds.alerts,
    "invariants": invariants.alerts,
    "meta": meta.alerts,
}
"""Groups of alerts, each a file of its name."""

HEAD: Final = (
    "# DO NOT EDIT: generated from monitoring/slo.py and its neighbours by `make generate`.\n"
)


def files(pace: Pace = NORMAL, links: Links = LINKS) -> dict[str, str]:
    """Every rule file by name."""
    made = {"recording.yaml": HEAD + dump({"groups": recording.groups(pace)})}
    for name, alerts in ALERTS.items():
        rules = [alert.rule(pace, links) for alert in alerts(pace)]
        made[f"{name}.yaml"] = HEAD + dump({"groups": [{"name": name, "rules": rules}]})
    return made


def all_alerts() -> list[Alert]:
    """Every alert, in the order of the files."""
    return [alert for alerts in ALERTS.values() for alert in alerts(NORMAL)]
