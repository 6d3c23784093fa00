"""What faults do, as metrics. Their labels are bounded, whatever experiments are called."""

from chassis.faults.contract import Labels
from chassis.metrics import Metrics


class Measures:
    """`chaos_fault_active` and `chaos_faults_injected_total` of one process."""

    def __init__(self, metrics: Metrics, service: str) -> None:
        labels: dict[str, tuple[str, ...]] = {"experiment": (), "service": (), "fault": ()}
        self._active = metrics.gauge("chaos_fault_active", "Faults in place", **labels)
        self._injected = metrics.counter(
            "chaos_faults_injected_total", "Requests and messages that met a fault", **labels
        )
        self._service = service
        self._experiments = Labels()

    def begun(self, experiment: str, kind: str) -> None:
        labels = self._labels(experiment, kind)
        self._active.labels(*labels).inc()
        self._injected.labels(*labels).inc(0)  # so that a rate has a beginning

    def ended(self, experiment: str, kind: str) -> None:
        self._active.labels(*self._labels(experiment, kind)).dec()

    def met(self, experiment: str, kind: str) -> None:
        self._injected.labels(*self._labels(experiment, kind)).inc()

    def _labels(self, experiment: str, kind: str) -> tuple[str, str, str]:
        return self._experiments.of(experiment), self._service, kind
