"""`chaos/scenarios/alert_names.py`: the rule table's names, for those who may not import the rules."""

from monitoring.prometheus.rules import all_alerts

_HEAD = '''"""Every alert that the rules know, with its severity.

DO NOT EDIT: generated from monitoring/prometheus by `make generate`.
"""

from collections.abc import Mapping
from typing import Final

SEVERITIES: Final[Mapping[str, str]] = {
'''


def module() -> str:
    """The file's text; of an alert with several severities, the first one of the table."""
    found: dict[str, str] = {}
    for alert in all_alerts():
        found.setdefault(alert.name, alert.severity)
    rows = [f'    "{name}": "{severity}",\n' for name, severity in sorted(found.items())]
    return "".join((_HEAD, *rows, "}\n"))
