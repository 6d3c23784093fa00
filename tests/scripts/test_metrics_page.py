"""The page of metrics is what the processes tell."""

import pytest

from scripts.generate import ROOT
from scripts.metrics_page import ANNOUNCED, catalogue, page

PROMISED = {
    "graphql_operation_duration_seconds": {"operation", "type", "outcome"},
    "graphql_field_errors_total": {"field", "code"},
    "http_server_request_duration_seconds": {"method", "route", "status_class"},
    "downstream_call_duration_seconds": {"service", "outcome"},
    "downstream_rejections_total": {"service", "reason"},
    "downstream_retries_total": {"service"},
    "downstream_retry_budget_exhausted_total": {"service"},
    "circuit_breaker_state": {"service", "state"},
    "circuit_breaker_transitions_total": {"service", "from", "to"},
    "bulkhead_in_flight": {"service"},
    "bulkhead_limit": {"service"},
    "fallback_served_total": {"service", "kind"},
    "stale_served_age_seconds": {"service"},
    "cache_requests_total": {"cache", "result"},
    "outbox_pending_messages": set(),
    "outbox_oldest_pending_age_seconds": set(),
    "outbox_publish_total": {"result"},
    "message_processing_duration_seconds": {"queue", "outcome"},
    "message_age_seconds": {"queue"},
    "queue_messages_ready": {"queue"},
    "queue_consumers": {"queue"},
    "queue_oldest_age_seconds": {"queue"},
    "saga_duration_seconds": {"saga", "outcome"},
    "saga_oldest_in_progress_age_seconds": {"saga"},
    "idempotent_replays_total": set(),
    "ledger_imbalance_minor_units": {"currency"},
    "ledger_check_last_success_timestamp_seconds": set(),
    "bank_transfers_total": {"outcome"},
    "dependency_up": {"dependency"},
}
"""The names and labels that others rely on. `service` of one's own metrics comes from the scraper."""

IDENTITIES = {"user", "account", "email", "trace_id", "correlation_id", "operation_name"}


@pytest.mark.may_block
async def test_the_page_is_current() -> None:
    """`docs/metrics.md` is what the composed processes tell; `make generate` renews it."""
    assert (ROOT / "docs" / "metrics.md").read_text() == await page()


@pytest.mark.may_block
async def test_what_was_promised_is_told() -> None:
    """Every promised metric exists with its labels, and none that is announced has come in secret."""
    labels = {told.metric.name: set(told.metric.labels) for told in await catalogue()}

    assert {name for name in PROMISED if name not in labels} == set()
    assert {name for name, wanted in PROMISED.items() if not wanted <= labels[name]} == set()
    assert {metric.name for metric in ANNOUNCED} & set(labels) == set()


@pytest.mark.may_block
async def test_no_label_names_a_person_or_a_trace() -> None:
    """Labels with as many values as there are users or requests would drown the server."""
    for told in await catalogue():
        assert not set(told.metric.labels) & IDENTITIES, told.metric.name
