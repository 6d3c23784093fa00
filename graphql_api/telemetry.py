"""What the gateway measures of its operations. Labels come from the schema, never from what was sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chassis import codes
from chassis.metrics import Metrics, exemplar

OK = "ok"
DEGRADED = "degraded"
CLIENT_ERROR = "client_error"
ERROR = "error"
OUTCOMES = (OK, DEGRADED, CLIENT_ERROR, ERROR)

SEVERAL = "several"
"""Label of an operation with more than one root field."""

OTHER = "other"
"""Label of what was not executed, and of introspection."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a measurement is about: both values are from the schema's own names."""

    operation: str
    type: str


NOTHING = Subject(OTHER, OTHER)
"""What was refused before it was known to be an operation."""


class Telemetry:
    """The gateway's own metrics.

    Args:
        root_fields: names of the schema's root fields, by operation type.
    """

    def __init__(self, metrics: Metrics, root_fields: Mapping[str, Iterable[str]]) -> None:
        self._root_fields = {kind: frozenset(names) for kind, names in root_fields.items()}
        self._duration = metrics.histogram(
            "graphql_operation_duration_seconds",
            "Time from a whole request to its answer",
            operation=(),
            type=(),
            outcome=(),
        )
        self._field_errors = metrics.counter(
            "graphql_field_errors_total", "Errors in answers, by root field", field=(), code=()
        )
        self._limited = metrics.counter(
            "gateway_rate_limited_total",
            "Requests refused by a rate limit",
            limit=("requests", "credentials"),
        )
        self._documents = metrics.counter(
            "graphql_document_cache_total",
            "Look-ups of parsed and validated documents",
            result=("hit", "miss"),
        )
        self._limiter_fallbacks = metrics.counter(
            "gateway_rate_limit_fallback_total", "Rate limit decisions made without Valkey"
        )
        # The allow-list: a root field, `several`, `other`; `subject` makes no other.
        allowed = [
            (name, kind)
            for kind, names in self._root_fields.items()
            for name in (*names, SEVERAL, OTHER)
        ]
        self._answers = {
            (Subject(name, kind), outcome): self._duration.labels(name, kind, outcome)
            for name, kind in (*allowed, (OTHER, OTHER))
            for outcome in OUTCOMES
        }

    def subject(self, kind: str, asked: Iterable[str]) -> Subject:
        """The labels of an operation with those root fields."""
        if kind not in self._root_fields:
            return NOTHING
        names = set(asked)
        if len(names) > 1:
            return Subject(SEVERAL, kind)
        name = next(iter(names), OTHER)
        return Subject(name if name in self._root_fields.get(kind, ()) else OTHER, kind)

    def answered(self, subject: Subject, outcome: str, seconds: float) -> None:
        self._answers[subject, outcome].observe(seconds, exemplar())

    def field_error(self, kind: str, root_field: object, code: str) -> None:
        known = root_field in self._root_fields.get(kind, ())
        self._field_errors.labels(
            str(root_field) if known else OTHER, code if codes.known(code) else OTHER
        ).inc()

    def limited(self, limit: str) -> None:
        self._limited.labels(limit).inc()

    def document(self, *, hit: bool) -> None:
        self._documents.labels("hit" if hit else "miss").inc()

    def decided_locally(self) -> None:
        self._limiter_fallbacks.inc()


def outcome_of(error_codes: Iterable[str], *, degraded: bool) -> str:
    """The worst of what happened: an error of ours, of the client's, a degraded field, or none."""
    worst = DEGRADED if degraded else OK
    for name in error_codes:
        code = codes.known(name)
        if code is None or code.status >= 500:
            return ERROR
        worst = CLIENT_ERROR
    return worst
