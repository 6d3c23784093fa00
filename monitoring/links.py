"""Where links in alerts and dashboards lead."""

from dataclasses import dataclass
from typing import Final

SERVED: Final = "public/runbooks"
"""Where Grafana serves `docs/runbooks/`: it hands out what is mounted below its own static files
(`/usr/share/grafana/public/runbooks`, as compose.yaml does), to anybody who reaches it."""


@dataclass(frozen=True, slots=True)
class Links:
    """Bases of links, without a slash at the end. `python -m monitoring --help` names the options.

    Attributes:
        runbooks: where `docs/runbooks/` is read: a repository's pages, or a wiki that mirrors it. Empty for
            Grafana, so that an alert's page is of the same version as its rule, and needs no other server.
        grafana: the dashboards.
    """

    runbooks: str = ""
    grafana: str = "http://localhost:3000"

    def runbook(self, alert: str) -> str:
        return f"{self.runbooks or f'{self.grafana}/{SERVED}'}/{alert}.md"

    def dashboard(self, uid: str) -> str:
        return f"{self.grafana}/d/{uid}"


LINKS: Final = Links()
