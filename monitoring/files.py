"""Every generated file of this house, by its path."""

from pathlib import Path
from typing import Final

from monitoring.alert_table import inserted
from monitoring.alertmanager import config as alertmanager
from monitoring.links import LINKS, Links
from monitoring.prometheus import config as prometheus
from monitoring.prometheus import rules

HOUSE: Final = Path(__file__).parent
DOCS_PAGE: Final = HOUSE.parent / "docs" / "observability.md"
"""Holds the table of alerts; not there where only the package is installed."""


def files(links: Links = LINKS) -> dict[Path, str]:
    """Path → content, as committed."""
    return {
        **{
            HOUSE / "prometheus" / "rules" / name: content
            for name, content in rules.files(links=links).items()
        },
        HOUSE / "prometheus" / "prometheus.yml": prometheus.config(prometheus.EMBEDDED),
        HOUSE / "prometheus" / "prometheus.compose.yml": prometheus.config(prometheus.COMPOSE),
        HOUSE / "alertmanager" / "alertmanager.yml": alertmanager.config(),
        **_grafana(),
    }


def _grafana() -> dict[Path, str]:
    from monitoring.grafana import provisioning  # its SDK is for developers only
    from monitoring.grafana.boards import BOARDS
    from monitoring.grafana.build import as_json

    house = HOUSE / "grafana"
    return {
        house / "provisioning" / "datasources" / "baluarte.yaml": provisioning.datasources(),
        house / "provisioning" / "dashboards" / "baluarte.yaml": provisioning.dashboards(),
        **{house / "dashboards" / f"{board.uid}.json": as_json(board) for board in BOARDS},
    }


def write(links: Links = LINKS) -> None:
    """Write all of them."""
    if DOCS_PAGE.exists():
        DOCS_PAGE.write_text(inserted(DOCS_PAGE.read_text()))
    for path, content in files(links).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
