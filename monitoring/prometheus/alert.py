"""What an alert is, and how it becomes a rule."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from monitoring.links import Links
from monitoring.pace import Pace
from monitoring.yaml_text import Node

PAGE: Final = "page"
WARN: Final = "warn"
INFO: Final = "info"
NONE: Final = "none"


class Chaos(Enum):
    """Whose faults on purpose may explain an alert, which then goes to the game-day channel."""

    OF_THE_SERVICE = 'printf "max(chaos_fault_active{service=%q}) > 0" $labels.service | query'
    OF_ANY = 'query "max(chaos_fault_active) > 0"'
    """For what users see at the gateway, whichever service is hit."""
    NONE = ""
    """Nothing done on purpose makes wrong money, or a blind watch, expected."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert.

    Attributes:
        summary: what it is about, in words that hold while it fires and when it is over.
        fact: what is the case, with figures.
        cause: what has most likely made it so.
        wait: nominal seconds for which it must hold.
        dashboard: uid of the dashboard to look at first.
        labels: further ones, beside `severity` and `chaos`.
    """

    name: str
    severity: str
    expression: str
    summary: str
    fact: str
    cause: str
    dashboard: str
    wait: float = 0.0
    chaos: Chaos = Chaos.OF_THE_SERVICE
    labels: dict[str, str] = field(default_factory=dict)

    def rule(self, pace: Pace, links: Links) -> Node:
        labels = {"severity": self.severity, **self.labels}
        if self.chaos is not Chaos.NONE:
            # Never empty: the series ALERTS would then show the template itself.
            labels["chaos"] = (
                f"{{{{ with {self.chaos.value} }}}}active{{{{ else }}}}off{{{{ end }}}}"
            )
        rule: dict[str, Node] = {"alert": self.name, "expr": self.expression}
        if self.wait:
            rule["for"] = pace.text(self.wait)
        rule["labels"] = labels
        rule["annotations"] = {
            "summary": self.summary,
            "description": f"{self.fact} {self.cause}",
            "runbook_url": links.runbook(self.name),
            "dashboard_url": links.dashboard(self.dashboard),
        }
        return rule
