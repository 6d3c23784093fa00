"""What this service tells Prometheus about money."""

from collections.abc import Callable

from chassis.metrics import AGE_BUCKETS, Metrics, exemplar
from services.transactions.contract import TransactionType
from services.transactions.leases import Backlog
from services.transactions.rows import Row

_TYPES = tuple(type_.value.lower() for type_ in TransactionType)
_OUTCOMES = ("completed", "failed")
_SAGA = "transfer"


class Measures:
    """The metrics, by what happened.

    Args:
        queued: told of each request that is carried out later because the ledger has not answered.
    """

    def __init__(self, metrics: Metrics, queued: Callable[[], None] = lambda: None) -> None:
        self._queued = queued
        self._transfers = metrics.counter(
            "bank_transfers_total",
            "Transactions that reached their outcome",
            type=_TYPES,
            outcome=_OUTCOMES,
        )
        ages = metrics.histogram(
            "saga_duration_seconds",
            "Time from the commit of PENDING to the outcome",
            buckets=(0.005, 0.01, 0.025, 0.05, *AGE_BUCKETS),
            saga=(_SAGA,),
            outcome=_OUTCOMES,
        )
        self._ages = {outcome: ages.labels(_SAGA, outcome) for outcome in _OUTCOMES}
        self.accepted = metrics.counter(
            "bank_transfers_accepted_total", "Transactions committed as PENDING"
        )
        self._answered_pending = metrics.counter(
            "bank_transfers_answered_pending_total",
            "Requests that were answered before the ledger's outcome was known",
        )
        self.replays = metrics.counter(
            "idempotent_replays_total", "Requests whose idempotency key had been seen before"
        )
        self.conflicts = metrics.counter(
            "idempotency_conflicts_total", "Idempotency keys that came back with another request"
        )
        self.contradictions = metrics.counter(
            "ledger_contradictions_total",
            "Answers of the ledger that deny what this service knows: each needs a person",
        )
        self.attempts = metrics.counter(
            "saga_recovery_attempts_total", "Transactions that the recovery worker sent again"
        )
        self._oldest = metrics.gauge(
            "saga_oldest_in_progress_age_seconds",
            "Age of the oldest transaction that is still PENDING; 0 when there is none",
            saga=(_SAGA,),
        ).labels(_SAGA)
        self._pending = metrics.gauge(
            "saga_in_progress", "Transactions that are PENDING", saga=(_SAGA,)
        ).labels(_SAGA)

    def answered_pending(self) -> None:
        """A request was told PENDING: accepted, and carried out later."""
        self._answered_pending.inc()
        self._queued()

    def settled(self, row: Row) -> None:
        """A transaction has reached its outcome."""
        outcome = row.status.value.lower()
        self._transfers.labels(row.type.value.lower(), outcome).inc()
        if row.processed_at is not None:
            seconds = (row.processed_at - row.created_at).total_seconds()
            self._ages[outcome].observe(max(0.0, seconds), exemplar())

    def backlog(self, backlog: Backlog) -> None:
        """What is pending now."""
        self._oldest.set(backlog.oldest_age)
        self._pending.set(backlog.pending)
