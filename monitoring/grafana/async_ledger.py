"""Events from outbox to effect, sagas, and the ledger."""

from monitoring.grafana.panel import RATE, Board, Kind, Panel, Query, Row, p95, quantiles, rate

_QUEUE = "{{queue}}"
_SERVICE = "{{service}}"


def _by_queue(metric: str) -> tuple[Query, ...]:
    # Every process shows every queue, and NaN for what it cannot know.
    return (Query(f"max by (queue) ({metric})", _QUEUE),)


def _by_service(metric: str) -> tuple[Query, ...]:
    return (Query(f"max by (service) ({metric})", _SERVICE),)


BOARD = Board(
    "baluarte-async",
    "Baluarte / Async and ledger",
    "Where events wait and how late their effects come; transfers in progress; the ledger's postings.",
    (
        Row(
            "Queues",
            (
                Panel(
                    "Messages",
                    "That wait. More than 100 for 5 minutes warn.",
                    "none",
                    _by_queue("queue_messages_ready"),
                    limit=100.0,
                ),
                Panel(
                    "Oldest message",
                    "Its age. Grows by a second a second when nobody consumes.",
                    "s",
                    _by_queue("queue_oldest_age_seconds"),
                ),
                Panel(
                    "Consumers",
                    "Processes that consume or stand by. 0 for a minute warns.",
                    "none",
                    _by_queue("queue_consumers"),
                    Kind.STATES,
                ),
            ),
        ),
        Row(
            "Outbox and inbox",
            (
                Panel(
                    "Outbox",
                    "Committed events that the bus has not confirmed.",
                    "none",
                    _by_service("outbox_pending_messages"),
                ),
                Panel(
                    "Oldest in the outbox",
                    "Above a minute warns: the bus is away, or the relay fails.",
                    "s",
                    _by_service("outbox_oldest_pending_age_seconds"),
                    limit=60.0,
                ),
                Panel(
                    "Published",
                    "Batches handed to the bus, by result.",
                    "ops",
                    (
                        rate(
                            "outbox_publish_total", "", "service, result", "{{service}} {{result}}"
                        ),
                    ),
                ),
                Panel(
                    "Inbox",
                    "Messages taken over and not handled.",
                    "none",
                    _by_service("inbox_pending"),
                ),
                Panel(
                    "Handled",
                    "Tries by outcome: `retry` comes again, `dead_letter` waits for staff.",
                    "ops",
                    (
                        rate(
                            "message_processing_duration_seconds_count",
                            "",
                            "queue, outcome",
                            "{{queue}} {{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    "Set aside",
                    "Parked messages by service, undecodable ones by queue. Any warns.",
                    "none",
                    (
                        Query("sum by (service) (inbox_parked_messages)", "{{service}} parked"),
                        Query("max by (queue) (queue_dead_letters)", "{{queue}} undecodable"),
                    ),
                    limit=1.0,
                ),
            ),
        ),
        Row(
            "Lateness",
            (
                Panel(
                    "Age of events at their effect",
                    "95 % per queue. The objective is 99 % within 30 s.",
                    "s",
                    (p95("message_age_seconds", "", "queue", _QUEUE),),
                    limit=30.0,
                ),
                Panel(
                    "Time to handle",
                    "95 % of tries, per queue.",
                    "s",
                    (p95("message_processing_duration_seconds", "", "queue", _QUEUE),),
                ),
                Panel(
                    "Failed publishes",
                    "Batches that were not relayed, by code; empty until one fails.",
                    "ops",
                    (rate("outbox_failures_total", "", "service, code", "{{service}} {{code}}"),),
                ),
            ),
        ),
        Row(
            "Transfers in progress",
            (
                Panel(
                    "Pending",
                    "Committed, with an outcome that is not known yet.",
                    "none",
                    (Query("max by (saga) (saga_in_progress)", "{{saga}}"),),
                ),
                Panel(
                    "Oldest pending",
                    "Above a minute warns: the ledger does not answer definitely.",
                    "s",
                    (Query("max by (saga) (saga_oldest_in_progress_age_seconds)", "{{saga}}"),),
                    limit=60.0,
                ),
                Panel(
                    "Time to the outcome",
                    "From the commit of PENDING.",
                    "s",
                    quantiles("saga_duration_seconds"),
                ),
            ),
        ),
        Row(
            "Ledger",
            (
                Panel(
                    "Postings",
                    "Commands answered, by outcome.",
                    "ops",
                    (rate("ledger_postings_total", "", "outcome", "{{outcome}}"),),
                ),
                Panel(
                    "Batches",
                    "Commands that share a commit, on average: grows under load by itself.",
                    "none",
                    (
                        Query(
                            f"sum(rate(ledger_batch_postings_sum{RATE}))"
                            f" / sum(rate(ledger_batch_postings_count{RATE}))",
                            "commands",
                        ),
                        Query("max(ledger_queued_postings)", "waiting"),
                    ),
                ),
                Panel(
                    "Time of a batch",
                    "From the queue to the answer.",
                    "s",
                    quantiles("ledger_batch_duration_seconds"),
                ),
                Panel(
                    "Off by",
                    "Minor units. Anything but 0 pages.",
                    "none",
                    (
                        Query(
                            "max by (currency, law) (abs(ledger_imbalance_minor_units))",
                            "{{currency}} {{law}}",
                        ),
                    ),
                    limit=1.0,
                ),
                Panel(
                    "Last check",
                    "Seconds since the ledger last checked itself. Above 120 pages.",
                    "s",
                    (Query("time() - max(ledger_check_last_success_timestamp_seconds)", "ago"),),
                    limit=120.0,
                ),
                Panel(
                    "Contradictions",
                    "Answers of the ledger that deny what transactions knows: each needs a person.",
                    "none",
                    (Query("max by (service) (ledger_contradictions_total)", _SERVICE),),
                    limit=1.0,
                ),
            ),
        ),
    ),
)
