"""Metrics of one process, in a registry of its own: nothing global, so that two apps fit one test."""

from collections.abc import Sequence
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import exposition as text
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; every threshold of a service level objective must be one of these edges."""

AGE_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds, for ages of messages, copies and sagas."""

Label = Sequence[str]


class Metrics:
    """Makes metrics and shows them. Asking for one twice by name is an error, as it hides a mistake."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def counter(self, name: str, help_: str, **labels: Label) -> Counter:
        """A counter; `labels` maps each label to the values that are created at 0 beforehand."""
        metric = Counter(name, help_, tuple(labels), registry=self.registry)
        _create(metric, labels)
        return metric

    def gauge(self, name: str, help_: str, **labels: Label) -> Gauge:
        metric = Gauge(name, help_, tuple(labels), registry=self.registry)
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
        _create(metric, labels)
        return metric

    def expose(self, accept: str) -> tuple[bytes, str]:
        """The page for a scraper that accepts `accept`, and its content type."""
        if "application/openmetrics-text" in accept:
            page: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return page, openmetrics.CONTENT_TYPE_LATEST
        return text.generate_latest(self.registry), text.CONTENT_TYPE_LATEST


def _create(metric: Counter | Gauge | Histogram, labels: dict[str, Label]) -> None:
    if labels and all(labels.values()):
        for values in product(*labels.values()):
            metric.labels(*values)
