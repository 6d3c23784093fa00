"""Where links in alerts and dashboards lead."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Links:
    """Bases of links, without a slash at the end. `python -m monitoring --help` names the options.

    Attributes:
        runbooks: where `docs/runbooks/` is read: your copy of the repository, or a wiki that mirrors it.
        grafana: the dashboards.
    """

    runbooks: str = "https://github.com/baluarte/baluarte/blob/main/docs/runbooks"
    grafana: str = "http://localhost:3000"

    def runbook(self, alert: str) -> str:
        return f"{self.runbooks}/{alert}.md"

    def dashboard(self, uid: str) -> str:
        return f"{self.grafana}/d/{uid}"


LINKS: Final = Links()
