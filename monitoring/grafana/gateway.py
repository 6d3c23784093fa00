"""The gateway by rate, errors and duration, per operation."""

from monitoring.grafana.panel import RATE, Board, Choice, Panel, Query, Row, p95, quantiles, rate

_OPERATIONS = "graphql_operation_duration_seconds"
_CHOSEN = '{operation=~"$operation"}'

BOARD = Board(
    "baluarte-gateway",
    "Baluarte / Gateway",
    "What users see at the GraphQL endpoint: rate, errors, duration.",
    (
        Row(
            "Rate",
            (
                Panel(
                    "Operations",
                    "A second, by root field. `several` has more than one, `other` was not executed.",
                    "reqps",
                    (rate(f"{_OPERATIONS}_count", _CHOSEN, "operation", "{{operation}}"),),
                ),
                Panel(
                    "By outcome",
                    "`client_error` is refused input or missing rights and not ours; `error` is.",
                    "reqps",
                    (rate(f"{_OPERATIONS}_count", _CHOSEN, "outcome", "{{outcome}}"),),
                ),
                Panel(
                    "HTTP by status",
                    "Requests at the gateway's own routes.",
                    "reqps",
                    (
                        rate(
                            "http_server_request_duration_seconds_count",
                            '{job="gateway"}',
                            "route, status_class",
                            "{{route}} {{status_class}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Errors",
            (
                Panel(
                    "Share of errors",
                    "Operations that ended with an error of ours. Above 5 % for 5 min warns.",
                    "percentunit",
                    (
                        Query(
                            f'sum(rate({_OPERATIONS}_count{{outcome="error"}}{RATE}))'
                            f" / sum(rate({_OPERATIONS}_count{RATE}))",
                            "errors",
                        ),
                    ),
                    limit=0.05,
                ),
                Panel(
                    "Errors by field and code",
                    "What clients are told, clients' own mistakes included.",
                    "ops",
                    (rate("graphql_field_errors_total", "", "field, code", "{{field}}: {{code}}"),),
                ),
                Panel(
                    "Share of degraded answers",
                    "Answered, with parts stale or missing: a service behind the gateway is in trouble.",
                    "percentunit",
                    (
                        Query(
                            f'sum(rate({_OPERATIONS}_count{{outcome="degraded"}}{RATE}))'
                            f" / sum(rate({_OPERATIONS}_count{RATE}))",
                            "degraded",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Duration",
            (
                Panel(
                    "Chosen operations",
                    "With exemplars: click a dot for its trace.",
                    "s",
                    quantiles(_OPERATIONS, _CHOSEN),
                    limit=1.0,
                ),
                Panel(
                    "95 % by operation",
                    "Which operation is slow.",
                    "s",
                    (p95(_OPERATIONS, _CHOSEN, "operation", "{{operation}}"),),
                    limit=1.0,
                ),
                Panel(
                    "95 % of attempts by service",
                    "Which service makes it slow: each attempt of the gateway.",
                    "s",
                    (
                        p95(
                            "downstream_call_duration_seconds",
                            '{job="gateway"}',
                            "service",
                            "{{service}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Guards",
            (
                Panel(
                    "Refused by rate limits",
                    "Requests, and sign-ins, beyond a client's share.",
                    "reqps",
                    (rate("gateway_rate_limited_total", "", "limit", "{{limit}}"),),
                ),
                Panel(
                    "Rate limits decided alone",
                    "Decisions without Valkey: each process then counts for itself.",
                    "ops",
                    (Query(f"sum(rate(gateway_rate_limit_fallback_total{RATE}))", "alone"),),
                ),
                Panel(
                    "Parsed documents found",
                    "Share of operations whose document was parsed and checked before.",
                    "percentunit",
                    (
                        Query(
                            f'sum(rate(graphql_document_cache_total{{result="hit"}}{RATE}))'
                            f" / sum(rate(graphql_document_cache_total{RATE}))",
                            "found",
                        ),
                    ),
                ),
            ),
        ),
    ),
    (Choice("operation", f"{_OPERATIONS}_count"),),
)
