"""What a scenario may name: alerts with their severities, journeys, steps.

DO NOT EDIT: generated from monitoring/prometheus, loadtests/journeys and graphql_api by `make generate`.
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

JOURNEYS: Final[tuple[str, ...]] = (
    "deposit",
    "double-click",
    "login",
    "notifications",
    "overview",
    "pay",
    "profile",
    "refresh",
    "register",
    "reverse",
    "statement",
    "withdraw",
)
"""What people do."""

STEPS: Final[tuple[str, ...]] = (
    "account",
    "deposit",
    "login",
    "logout",
    "me",
    "notifications",
    "refreshToken",
    "register",
    "reverse",
    "setUserActive",
    "transaction",
    "transactions",
    "transfer",
    "updateBankingDetails",
    "updateProfile",
    "user",
    "users",
    "withdraw",
)
"""Root fields of GraphQL: what a journey asks for."""
