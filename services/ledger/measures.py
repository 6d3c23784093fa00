"""What the posting writer tells about itself, as metrics."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from chassis.metrics import Metrics
from services.ledger.contract import FailureReason, PostingResult
from services.ledger.writer import Result

BATCH_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

OUTCOMES: Final = (
    "POSTED",
    *(reason.value for reason in FailureReason),
    "TRANSFER_MISMATCH",
    "OUTCOME_UNKNOWN",
    "UNAVAILABLE",
    "INTERNAL",
)


class Measures:
    """`services.ledger.writer.Observer` on a process' metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._outcomes = metrics.counter(
            "ledger_postings", "Commands answered, by outcome", outcome=OUTCOMES
        )
        self._size = metrics.histogram(
            "ledger_batch_postings", "Commands in a batch", buckets=BATCH_BUCKETS
        )
        self._seconds = metrics.histogram(
            "ledger_batch_duration_seconds",
            "From taking a batch off the queue to answering it",
            buckets=SECONDS_BUCKETS,
        )
        self._fallbacks = metrics.counter(
            "ledger_batch_fallbacks", "Batches that failed and were posted one by one"
        )
        self._queued = metrics.gauge("ledger_queued_postings", "Commands that wait for a batch")

    def watch(self, queued: Callable[[], int]) -> None:
        """Show what `queued` answers whenever the metrics are read."""
        self._queued.set_function(queued)

    def batch(self, results: Sequence[Result], seconds: float) -> None:
        self._size.observe(len(results))
        self._seconds.observe(seconds)
        for outcome, count in Counter(map(_outcome, results)).items():
            self._outcomes.labels(outcome).inc(count)

    def fell_back(self) -> None:
        self._fallbacks.inc()


def _outcome(result: Result) -> str:
    if result.error is not None:
        return result.error
    if isinstance(result, PostingResult):
        posted = result.posted
        return str(posted.reason or posted.status) if posted else "UNAVAILABLE"
    return str(result.reason or result.status)
