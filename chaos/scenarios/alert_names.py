"""Every alert that the rules know, with its severity.

DO NOT EDIT: generated from monitoring/prometheus by `make generate`.
"""

from collections.abc import Mapping
from typing import Final

SEVERITIES: Final[Mapping[str, str]] = {
    "BonusProcessingDelayed": "warn",
    "BulkheadSaturated": "warn",
    "ChaosFaultLeftActive": "warn",
    "CircuitBreakerOpen": "warn",
    "DeadLetters": "warn",
    "ErrorBudgetBurn": "page",
    "ErrorBudgetSlowBurn": "warn",
    "HighErrorRate": "warn",
    "HighLatency": "warn",
    "LedgerCheckStale": "page",
    "LedgerContradiction": "page",
    "LedgerImbalance": "page",
    "LowStock": "info",
    "NotificationFailures": "warn",
    "OutboxStuck": "warn",
    "QueueBacklog": "warn",
    "QueueNoConsumer": "warn",
    "ReplicaDown": "warn",
    "RetryStorm": "warn",
    "RuleFailures": "warn",
    "SagaStuck": "warn",
    "ServiceDown": "page",
    "SloSeriesAbsent": "page",
    "StaleTooOld": "warn",
    "Watchdog": "none",
}
