"""Metrics of one process, in a registry of its own: nothing global, so that two apps fit one test."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client import exposition as text
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector

from chassis.context import sampled_trace_id

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; every threshold of a service level objective must be one of these edges."""

AGE_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds, for ages of messages, copies and sagas."""

Label = Sequence[str]


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as `docs/metrics.md` tells of it; `name` is the exported one."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


class Metrics:
    """Makes metrics and shows them. Asking for one twice by name is an error, as it hides a mistake.

    Attributes:
        described: what was made here, in order.
    """

    def __init__(self) -> None:
        # When each series was born would double what is scraped, and nobody asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        ProcessCollector(registry=self.registry)

    def counter(self, name: str, help_: str, **labels: Label) -> Counter:
        """A counter; `labels` maps each label to the values that are created at 0 beforehand."""
        metric = Counter(name, help_, tuple(labels), registry=self.registry)
        self._describe(f"{name.removesuffix('_total')}_total", "counter", help_, labels)
        _create(metric, labels)
        return metric

    def gauge(self, name: str, help_: str, **labels: Label) -> Gauge:
        metric = Gauge(name, help_, tuple(labels), registry=self.registry)
        self._describe(name, "gauge", help_, labels)
        _create(metric, labels)
        return metric

    def histogram(
        self,
        name: str,
        help_: str,
        *,
        buckets: Sequence[float] = DURATION_BUCKETS,
        **labels: Label,
    ) -> Histogram:
        metric = Histogram(name, help_, tuple(labels), buckets=buckets, registry=self.registry)
        self._describe(name, "histogram", help_, labels)
        _create(metric, labels)
        return metric

    def expose(self, accept: str) -> tuple[bytes, str]:
        """The page for a scraper that accepts `accept`, and its content type."""
        if "application/openmetrics-text" in accept:
            page: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return page, openmetrics.CONTENT_TYPE_LATEST
        return text.generate_latest(self.registry), text.CONTENT_TYPE_LATEST

    def _describe(self, name: str, kind: str, help_: str, labels: dict[str, Label]) -> None:
        self.described.append(Described(name, kind, help_, tuple(labels)))


def exemplar() -> dict[str, str] | None:
    """What links an observation to the trace that it was made in; None where no trace is kept."""
    trace_id = sampled_trace_id()
    return None if trace_id is None else {"trace_id": trace_id}


def _create(metric: Counter | Gauge | Histogram, labels: dict[str, Label]) -> None:
    if labels and all(labels.values()):
        for values in product(*labels.values()):
            metric.labels(*values)
