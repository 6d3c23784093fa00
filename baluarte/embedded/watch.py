"""Prometheus and Alertmanager, where the system has them: they watch the platform on this machine.

Rules, routes and texts are those of `monitoring/`; only addresses and paths are this machine's.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from baluarte.embedded.command import Command, plain_environment
from baluarte.embedded.places import write_private
from baluarte.embedded.ports import LOOPBACK
from baluarte.errors import BaluarteError
from monitoring.alertmanager import config as alertmanager
from monitoring.files import HOUSE
from monitoring.links import LINKS, Links
from monitoring.pace import NORMAL, Pace
from monitoring.prometheus import config as prometheus
from monitoring.prometheus import rules

PROMETHEUS: Final = ("prometheus",)
ALERTMANAGER: Final = ("prometheus-alertmanager", "alertmanager")
"""Names of the programs: Debian's, then the makers'."""

PROMETHEUS_PORT: Final = 9090
ALERTMANAGER_PORT: Final = 9093

RETENTION: Final = "35d"
"""An objective is judged over 30 days."""

RETENTION_SIZE: Final = "1GB"
"""Of disk on a machine that has other things to keep; the oldest goes first."""


def found(names: tuple[str, ...]) -> str | None:
    """The path of the first of these programs that is installed."""
    return next((path for name in names if (path := shutil.which(name))), None)


def program(names: tuple[str, ...]) -> str:
    """The path of a program. Raises `BaluarteError` MONITORING_MISSING."""
    path = found(names)
    if path is None:
        raise BaluarteError.of(
            "MONITORING_MISSING",
            f"{names[0]} is not installed",
            f"install it (Debian: apt install {names[0]}), or leave --monitoring out",
        )
    return path


@dataclass(frozen=True, slots=True)
class Outlook:
    """How the watch differs from production's.

    Attributes:
        slack: None where there is none: alerts are seen in Alertmanager's own pages.
    """

    slack: alertmanager.Slack | None = None
    pace: Pace = NORMAL
    links: Links = LINKS


@dataclass(frozen=True, slots=True)
class EmbeddedPrometheus:
    """Prometheus on loopback, its files in `directory`."""

    directory: Path
    port: int
    targets: prometheus.Targets
    outlook: Outlook = Outlook()

    def prepare(self) -> Command:
        """Write its files anew; what runs it. Blocks. Raises `BaluarteError` MONITORING_MISSING."""
        folder = self.directory / "rules"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in rules.files(self.outlook.pace, self.outlook.links).items():
            write_private(folder / name, text)
        file = self.directory / "prometheus.yml"
        write_private(file, prometheus.config(self.targets, self.outlook.pace))
        url = f"http://{LOOPBACK}:{self.port}"
        arguments = (
            f"--config.file={file}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--storage.tsdb.retention.size={RETENTION_SIZE}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            f"--web.external-url={url}",
            "--enable-feature=exemplar-storage",
            "--log.format=json",
        )
        return Command((program(PROMETHEUS), *arguments), plain_environment(), self.directory)


@dataclass(frozen=True, slots=True)
class EmbeddedAlertmanager:
    """Alertmanager on loopback, its files in `directory`."""

    directory: Path
    port: int
    outlook: Outlook = Outlook()

    def prepare(self) -> Command:
        """Write its files anew; what runs it. Blocks. Raises `BaluarteError` MONITORING_MISSING."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.directory / "alertmanager.yml"
        texts = str(HOUSE / "alertmanager" / "templates" / "*.tmpl")
        write_private(file, alertmanager.config(self.outlook.slack, self.outlook.pace, texts))
        arguments = (
            f"--config.file={file}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            f"--web.external-url=http://{LOOPBACK}:{self.port}",
            "--cluster.listen-address=",  # one node
            "--log.format=json",
        )
        return Command((program(ALERTMANAGER), *arguments), plain_environment(), self.directory)
