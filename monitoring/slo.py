"""The one table of objectives and thresholds. Rules, dashboards and docs are made from it.

Seconds are nominal: `monitoring.pace` makes them faster for tests. What belongs to the processes themselves,
edges of buckets and the period of the ledger's check, stays as it is.
"""

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

SCRAPE_EVERY: Final = 15.0
EVALUATE_EVERY: Final = 15.0
PERIOD: Final = 30 * DAY
"""Over which an error budget is spent."""

SERVICES: Final = ("gateway", "users", "ledger", "transactions", "notifications")
"""Processes that are scraped; each is a job of its name, and `service` unless a series says another."""


@dataclass(frozen=True, slots=True)
class Slo:
    """An objective: of all `total` events at most `1 - objective` are `bad`.

    Attributes:
        total, bad: PromQL of the events in a window, written `$window`.
        proof: a series that must exist for the objective to be measured at all.
    """

    name: str
    title: str
    service: str
    objective: float
    total: str
    bad: str
    proof: str

    def in_window(self, expression: str, window: str) -> str:
        """`total` or `bad` of the last `window`."""
        return expression.replace("$window", window)

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.objective, 9)


_ANSWERED = ',outcome=~"ok|degraded"'
_IN_TIME = _ANSWERED + ',le="1.0"'


def _operations(part: str, more: str = "") -> str:
    chosen = f'graphql_operation_duration_seconds_{part}{{job="gateway"{more}}}'
    return f"sum(increase({chosen}[$window]))"


SLOS: Final = (
    Slo(
        "gateway-availability",
        "GraphQL operations without an error of ours",
        "gateway",
        0.999,
        total=_operations("count"),
        bad=_operations("count", ',outcome="error"'),
        proof='graphql_operation_duration_seconds_count{job="gateway"}',
    ),
    Slo(
        "gateway-latency",
        "Answered GraphQL operations within 1 s",
        "gateway",
        0.99,
        total=_operations("count", _ANSWERED),
        bad=f"{_operations('count', _ANSWERED)} - {_operations('bucket', _IN_TIME)}",
        proof='graphql_operation_duration_seconds_bucket{job="gateway",le="1.0"}',
    ),
    Slo(
        "async-freshness",
        "Events with their effects made within 30 s",
        "messaging",
        0.99,
        total="sum(increase(message_age_seconds_count[$window]))",
        bad="sum(increase(message_age_seconds_count[$window]))"
        ' - sum(increase(message_age_seconds_bucket{le="30.0"}[$window]))',
        proof='message_age_seconds_bucket{le="30.0"}',
    ),
)


@dataclass(frozen=True, slots=True)
class Burn:
    """Two windows over which a budget must burn `factor` times too fast for an alert."""

    long: float
    short: float
    factor: float
    wait: float
    severity: str


BURNS: Final = (
    Burn(1 * HOUR, 5 * MINUTE, 14.4, 2 * MINUTE, "page"),
    Burn(6 * HOUR, 30 * MINUTE, 6.0, 15 * MINUTE, "page"),
    Burn(1 * DAY, 2 * HOUR, 3.0, 1 * HOUR, "warn"),
    Burn(3 * DAY, 6 * HOUR, 1.0, 3 * HOUR, "warn"),
)

FEWEST_BAD: Final = 10
"""Bad events in the long window without which no burn is told: at night, one error is a large share. Counted
in bad events and not in traffic, so that an outage in a quiet hour is told all the same."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Plain thresholds; names tell what they are for."""

    window: float = 5 * MINUTE
    fewest_requests: int = 20
    """In a window: below, a share or a quantile means little."""

    down_for: float = 1 * MINUTE
    latency_seconds: float = 1.0
    latency_for: float = 5 * MINUTE
    error_ratio: float = 0.05
    error_for: float = 5 * MINUTE
    breaker_for: float = 1 * MINUTE
    backlog_messages: int = 100
    backlog_for: float = 5 * MINUTE
    no_consumer_for: float = 1 * MINUTE
    outbox_age: float = 60.0
    bonus_age: float = 300.0
    retry_ratio: float = 0.2
    retry_for: float = 2 * MINUTE
    fewest_attempts: int = 50
    rejections: int = 10
    bulkhead_for: float = 1 * MINUTE
    saga_age: float = 60.0
    saga_for: float = 1 * MINUTE
    stale_age: float = 900.0
    """An edge of the ages' buckets."""
    stale_for: float = 5 * MINUTE
    fault_for: float = 30 * MINUTE
    low_stock_for: float = 15 * MINUTE
    check_age: float = 120.0
    """Of the ledger's check, which comes every 30 s at its own pace: not made faster for tests."""
    check_for: float = 1 * MINUTE
    absent_for: float = 5 * MINUTE


THRESHOLDS: Final = Thresholds()
