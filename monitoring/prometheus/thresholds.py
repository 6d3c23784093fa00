"""Plain thresholds: one condition each, with a floor under which a share means little."""

from monitoring.pace import Pace
from monitoring.prometheus.alert import INFO, PAGE, WARN, Alert, Chaos
from monitoring.slo import THRESHOLDS as T

_BY_QUEUE = '"service", "$1", "queue", ".*-events.(.*)"'


def alerts(pace: Pace) -> list[Alert]:
    """In the order in which they stand in the file."""
    return [*_serving(pace), *_resilience(pace), *_messaging(pace), *_business(pace)]


def _serving(pace: Pace) -> list[Alert]:
    window = pace.text(T.window)
    operations = "graphql_operation_duration_seconds"
    enough = f"sum by (service) (increase({operations}_count[{window}])) >= {T.fewest_requests}"
    return [
        Alert(
            "ServiceDown",
            PAGE,
            "max by (service) (up) == 0",
            summary="No process of {{ $labels.service }} answers",
            fact="Every scrape of {{ $labels.service }} has failed for a minute.",
            cause="It crashed, was stopped, or hangs: see `baluarte status` and its log.",
            dashboard="baluarte-overview",
            wait=T.down_for,
        ),
        Alert(
            "ReplicaDown",
            WARN,
            "up == 0 and on (service) max by (service) (up) == 1",
            summary="A process of {{ $labels.service }} does not answer",
            fact="{{ $labels.instance }} has failed every scrape for a minute; others of "
            "{{ $labels.service }} answer.",
            cause="It crashed or hangs, and the rest carry its load.",
            dashboard="baluarte-infrastructure",
            wait=T.down_for,
        ),
        Alert(
            "HighLatency",
            WARN,
            f"histogram_quantile(0.95, sum by (service, le) (rate({operations}_bucket[{window}])))"
            f" > {T.latency_seconds:g}\nand {enough}",
            summary="Latency of GraphQL operations",
            fact="The 95th percentile was {{ $value | humanizeDuration }} over 5 minutes; "
            "the objective is 1 s.",
            cause="Most likely a service is slow without failing: compare the attempts per service.",
            dashboard="baluarte-gateway",
            wait=T.latency_for,
            chaos=Chaos.OF_ANY,
        ),
        Alert(
            "HighErrorRate",
            WARN,
            f'sum by (service) (rate({operations}_count{{outcome="error"}}[{window}]))\n'
            f"/ sum by (service) (rate({operations}_count[{window}])) > {T.error_ratio:g}\n"
            f"and {enough}",
            summary="Errors of GraphQL operations",
            fact="{{ $value | humanizePercentage }} of operations ended with an error of ours "
            "over 5 minutes.",
            cause="Most likely a service is down for which no stale data may stand in.",
            dashboard="baluarte-gateway",
            wait=T.error_for,
            chaos=Chaos.OF_ANY,
        ),
    ]


def _resilience(pace: Pace) -> list[Alert]:
    window = pace.text(T.window)
    attempts = "downstream_call_duration_seconds_count"
    return [
        Alert(
            "CircuitBreakerOpen",
            WARN,
            'max by (job, service) (1 - circuit_breaker_state{state="closed"}) == 1',
            summary="Breaker of {{ $labels.job }} to {{ $labels.service }}",
            fact="{{ $labels.job }} has not closed its breaker to {{ $labels.service }} for a minute.",
            cause="{{ $labels.service }} fails or is too slow, as {{ $labels.job }} sees it; "
            "fallbacks stand in where they may.",
            dashboard="baluarte-resilience",
            wait=T.breaker_for,
        ),
        Alert(
            "RetryStorm",
            WARN,
            f"sum by (job, service) (rate(downstream_retries_total[{window}]))\n"
            f"/ sum by (job, service) (rate({attempts}[{window}])) > {T.retry_ratio:g}\n"
            f"and sum by (job, service) (increase({attempts}[{window}])) >= {T.fewest_attempts}",
            summary="Retries of {{ $labels.job }} at {{ $labels.service }}",
            fact="{{ $value | humanizePercentage }} of attempts were retries over 5 minutes.",
            cause="{{ $labels.service }} fails in part, and retries add to its load; "
            "the retry budget should hold them.",
            dashboard="baluarte-resilience",
            wait=T.retry_for,
        ),
        Alert(
            "BulkheadSaturated",
            WARN,
            "sum by (job, service) (increase("
            f'downstream_rejections_total{{reason="bulkhead_full"}}[{window}])) >= {T.rejections}',
            summary="Bulkhead of {{ $labels.job }} to {{ $labels.service }}",
            fact='{{ $value | printf "%.0f" }} calls were refused in 5 minutes, as all places '
            "were taken.",
            cause="{{ $labels.service }} answers too slowly for the traffic, or a pool is too small.",
            dashboard="baluarte-resilience",
            wait=T.bulkhead_for,
        ),
        Alert(
            "StaleTooOld",
            WARN,
            "histogram_quantile(0.95, sum by (job, service, le) (rate("
            f"stale_served_age_seconds_bucket[{window}]))) > {T.stale_age:g}",
            summary="Age of stale data of {{ $labels.service }}",
            fact="Copies that stood in were up to {{ $value | humanizeDuration }} old (95 %).",
            cause="{{ $labels.service }} has been away for long, and its last good answers age.",
            dashboard="baluarte-resilience",
            wait=T.stale_for,
        ),
        Alert(
            "ChaosFaultLeftActive",
            WARN,
            "max by (experiment, service, fault) (chaos_fault_active) > 0",
            summary="A fault on purpose at {{ $labels.service }}",
            fact="{{ $labels.fault }} of {{ $labels.experiment }} has been active for 30 minutes.",
            cause="An experiment was forgotten, or renews its leases without end: "
            "`baluarte chaos stop`.",
            dashboard="baluarte-overview",
            wait=T.fault_for,
            chaos=Chaos.NONE,
        ),
    ]


def _messaging(pace: Pace) -> list[Alert]:
    return [
        Alert(
            "QueueBacklog",
            WARN,
            f"label_replace(max by (queue) (queue_messages_ready), {_BY_QUEUE})"
            f" > {T.backlog_messages}",
            summary="Backlog of {{ $labels.queue }}",
            fact='{{ $value | printf "%.0f" }} messages wait, and more than '
            f"{T.backlog_messages} have for 5 minutes.",
            cause="Its consumer is away or slower than its producers.",
            dashboard="baluarte-async",
            wait=T.backlog_for,
        ),
        Alert(
            "QueueNoConsumer",
            WARN,
            f"label_replace(max by (queue) (queue_consumers), {_BY_QUEUE}) == 0",
            summary="Consumers of {{ $labels.queue }}",
            fact="Nobody has consumed {{ $labels.queue }} for a minute.",
            cause="{{ $labels.service }} is down, or cannot reach the bus while others can.",
            dashboard="baluarte-async",
            wait=T.no_consumer_for,
        ),
        Alert(
            "DeadLetters",
            WARN,
            f"label_replace(max by (queue) (queue_dead_letters), {_BY_QUEUE}) > 0\n"
            "or sum by (service) (inbox_parked_messages) > 0",
            summary="Messages set aside at {{ $labels.service }}",
            fact='{{ $value | printf "%.0f" }} messages wait for staff; those behind them of the '
            "same key wait too.",
            cause="A handler met data that it cannot handle, or somebody published what is no event.",
            dashboard="baluarte-async",
        ),
        Alert(
            "OutboxStuck",
            WARN,
            f"max by (service) (outbox_oldest_pending_age_seconds) > {pace.number(T.outbox_age)}",
            summary="Outbox of {{ $labels.service }}",
            fact="The oldest event has waited for {{ $value | humanizeDuration }} to be published.",
            cause="The bus is away, or the relay fails: `outbox_failures_total` says with which code.",
            dashboard="baluarte-async",
        ),
        Alert(
            "SagaStuck",
            WARN,
            "max by (service, saga) (saga_oldest_in_progress_age_seconds)"
            f" > {pace.number(T.saga_age)}",
            summary="Oldest {{ $labels.saga }} in progress",
            fact="It has been PENDING for {{ $value | humanizeDuration }}.",
            cause="The ledger does not answer definitely; it is asked again until it does.",
            dashboard="baluarte-async",
            wait=T.saga_for,
        ),
    ]


def _business(pace: Pace) -> list[Alert]:
    return [
        Alert(
            "BonusProcessingDelayed",
            WARN,
            "max by (service) (loyalty_bonus_oldest_pending_age_seconds)"
            f" > {pace.number(T.bonus_age)}",
            summary="Unpaid bonuses",
            fact="The oldest bonus has waited for {{ $value | humanizeDuration }}.",
            cause="Loyalty's consumer is behind, or the ledger refuses its postings.",
            dashboard="baluarte-business",
        ),
        Alert(
            "LowStock",
            INFO,
            "max by (service) (store_products_below_reorder_level) > 0",
            summary="Stock of the store",
            fact='{{ $value | printf "%.0f" }} products are below their reorder level.',
            cause="They sell; order them again.",
            dashboard="baluarte-business",
            wait=T.low_stock_for,
            chaos=Chaos.NONE,
        ),
    ]
