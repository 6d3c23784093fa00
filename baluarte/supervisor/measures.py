"""What the supervisor tells Prometheus: how its parts are, and which faults on purpose it keeps."""

from collections.abc import Callable, Mapping
from typing import Any

from chassis.faults.contract import Labels
from chassis.metrics import Metrics


class Measures:
    """The page at `/metrics`, made anew of a snapshot at each scrape.

    Args:
        snapshot: how everything is, as `Supervisor.snapshot` says it.
    """

    def __init__(self, snapshot: Callable[[], Mapping[str, Any]]) -> None:
        self._snapshot = snapshot
        self.metrics = Metrics()
        self._ready = self.metrics.gauge(
            "supervisor_part_ready", "1 while a part is ready", part=()
        )
        self._restarts = self.metrics.gauge(
            "supervisor_part_restarts", "Restarts of a part since the supervisor started", part=()
        )
        self._faults = self.metrics.gauge(
            "chaos_fault_active", "Faults in place", experiment=(), service=(), fault=()
        )
        self._experiments = Labels()
        self._seen: set[tuple[str, str, str]] = set()

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page for a scraper that accepts `accept`, and its content type."""
        active: dict[tuple[str, str, str], int] = {}
        for part in self._snapshot()["parts"]:
            self._ready.labels(part["name"]).set(part["state"] == "ready")
            self._restarts.labels(part["name"]).set(part["restarts"])
            for fault in part.get("faults", ()):
                experiment = self._experiments.of(fault.get("experiment", ""))
                key = experiment, service_of(part["name"]), fault["kind"]
                active[key] = active.get(key, 0) + 1
        self._seen |= set(active)  # parts and kinds are few, and labels are bounded
        for key in self._seen:
            # 0 and not gone: an end is told, not missing.
            self._faults.labels(*key).set(active.get(key, 0))
        return self.metrics.expose(accept)


def service_of(part: str) -> str:
    """`users` for its replica `users-2`."""
    name, _, number = part.rpartition("-")
    return name if name and number.isdecimal() else part
