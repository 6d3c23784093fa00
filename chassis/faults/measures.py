"""What faults do, as metrics. Their labels are bounded, whatever experiments are called."""

import re

from chassis.metrics import Metrics

MAX_NAME = 48
"""Longest name of an experiment in labels and logs, characters."""

MAX_EXPERIMENTS = 20
"""Names that become labels of their own in the life of a process; later ones are `other`."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


def plain(experiment: str) -> str:
    """An experiment's name, fit for a label and a log line."""
    return _UNUSUAL.sub("-", experiment[:MAX_NAME]) or "none"


class Measures:
    """`chaos_fault_active` and `chaos_faults_injected_total` of one process."""

    def __init__(self, metrics: Metrics, service: str) -> None:
        labels: dict[str, tuple[str, ...]] = {"experiment": (), "service": (), "fault": ()}
        self._active = metrics.gauge("chaos_fault_active", "Faults in place", **labels)
        self._injected = metrics.counter(
            "chaos_faults_injected_total", "Requests and messages that met a fault", **labels
        )
        self._service = service
        self._names: set[str] = set()

    def begun(self, experiment: str, kind: str) -> None:
        labels = self._labels(experiment, kind)
        self._active.labels(*labels).inc()
        self._injected.labels(*labels).inc(0)  # so that a rate has a beginning

    def ended(self, experiment: str, kind: str) -> None:
        self._active.labels(*self._labels(experiment, kind)).dec()

    def met(self, experiment: str, kind: str) -> None:
        self._injected.labels(*self._labels(experiment, kind)).inc()

    def _labels(self, experiment: str, kind: str) -> tuple[str, str, str]:
        name = plain(experiment)
        if name not in self._names:
            if len(self._names) >= MAX_EXPERIMENTS:
                name = "other"
            else:
                self._names.add(name)
        return name, self._service, kind
