"""`prometheus.yml`: what is scraped, which rules, and who is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitoring.pace import NORMAL, Pace
from monitoring.slo import EVALUATE_EVERY, SCRAPE_EVERY, SERVICES
from monitoring.yaml_text import Node, dump

_PORTS: Final = {name: 8000 + number for number, name in enumerate(SERVICES)}

HEAD: Final = "# DO NOT EDIT: generated from monitoring/prometheus/config.py by `make generate`.\n"


@dataclass(frozen=True, slots=True)
class Targets:
    """Addresses, `host:port`.

    Attributes:
        services: of each process of the platform, replicas included.
        prometheus, alertmanager: of the watch itself.
        exporters: of servers that tell about themselves through one.
    """

    services: Mapping[str, Sequence[str]]
    prometheus: str
    alertmanager: str
    exporters: Mapping[str, Sequence[str]]


EMBEDDED: Final = Targets(
    {name: (f"127.0.0.1:{port}",) for name, port in _PORTS.items()},
    "127.0.0.1:9090",
    "127.0.0.1:9093",
    {},
)
"""What `baluarte up` runs on one machine."""

COMPOSE: Final = Targets(
    {name: (f"{name}:{port}",) for name, port in _PORTS.items()},
    "prometheus:9090",
    "alertmanager:9093",
    {"rabbitmq": ("rabbitmq:15692",)},
)
"""What `compose.yaml` runs."""


def config(targets: Targets, pace: Pace = NORMAL, rules: str = "rules/*.yaml") -> str:
    """The file.

    Args:
        rules: where the rule files lie, relative to this file.
    """
    jobs = {
        **targets.services,
        "prometheus": (targets.prometheus,),
        "alertmanager": (targets.alertmanager,),
        **targets.exporters,
    }
    document: Node = {
        "global": {
            "scrape_interval": pace.text(SCRAPE_EVERY),
            "scrape_timeout": pace.text(SCRAPE_EVERY),
            "evaluation_interval": pace.text(EVALUATE_EVERY),
        },
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [targets.alertmanager]}]}]},
        "scrape_configs": [_job(name, addresses) for name, addresses in jobs.items()],
    }
    return HEAD + dump(document)


def _job(name: str, addresses: Sequence[str]) -> Node:
    return {
        "job_name": name,
        # A process that tells of another one says so itself, and is heard.
        "honor_labels": True,
        "static_configs": [{"targets": list(addresses), "labels": {"service": name}}],
    }
