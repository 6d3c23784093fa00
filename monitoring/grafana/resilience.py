"""What the policies do: who sees whom fail, and what stands in."""

from monitoring.grafana.panel import RATE, Board, Choice, Kind, Panel, Query, Row, p95, rate

_CHOSEN = '{job=~"$job",service=~"$service"}'
_PAIR = "job, service"
_NAMED = "{{job}} → {{service}}"
_CALLS = "downstream_call_duration_seconds"


def _share(of: str, more: str) -> str:
    return f"sum by ({_PAIR}) (rate({of}{_CHOSEN[:-1]}{more}}}{RATE}))"


BOARD = Board(
    "baluarte-resilience",
    "Baluarte / Resilience",
    "Breakers, retries, bulkheads and fallbacks of every process towards everything that it calls.",
    (
        Row(
            "Breakers",
            (
                Panel(
                    "Not closed",
                    "1 while a breaker is open or half-open, per process and what it calls.",
                    "none",
                    (
                        Query(
                            f"max by ({_PAIR}) (1 - circuit_breaker_state"
                            f'{_CHOSEN[:-1]},state="closed"}})',
                            _NAMED,
                        ),
                    ),
                    Kind.STATES,
                    width=12,
                ),
                Panel(
                    "Changes of state",
                    "In the last 5 minutes. Many mean that a dependency comes and goes.",
                    "none",
                    (
                        Query(
                            f"sum by ({_PAIR}, to) (increase("
                            f"circuit_breaker_transitions_total{_CHOSEN}[5m]))",
                            f"{_NAMED} {{{{to}}}}",
                        ),
                    ),
                    width=12,
                ),
            ),
        ),
        Row(
            "Attempts",
            (
                Panel(
                    "By outcome",
                    "Every attempt, retries and hedges included.",
                    "reqps",
                    (
                        rate(
                            f"{_CALLS}_count",
                            _CHOSEN,
                            "service, outcome",
                            "{{service}} {{outcome}}",
                        ),
                    ),
                ),
                Panel(
                    "95 % of attempts",
                    "As the caller sees it, with the way between the two.",
                    "s",
                    (p95(_CALLS, _CHOSEN, _PAIR, _NAMED),),
                ),
                Panel(
                    "Share of failed attempts",
                    "Server errors, timeouts and failed connections.",
                    "percentunit",
                    (
                        Query(
                            _share(
                                f"{_CALLS}_count",
                                ',outcome=~"server_error|timeout|connect_error"',
                            )
                            + f" / sum by ({_PAIR}) (rate({_CALLS}_count{_CHOSEN}{RATE}))",
                            _NAMED,
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Retries",
            (
                Panel(
                    "Retries",
                    "Attempts beyond the first. More than 20 % of attempts warn.",
                    "reqps",
                    (rate("downstream_retries_total", _CHOSEN, _PAIR, _NAMED),),
                ),
                Panel(
                    "Budget spent",
                    "Retries that were not made, as the budget was used up.",
                    "reqps",
                    (rate("downstream_retry_budget_exhausted_total", _CHOSEN, _PAIR, _NAMED),),
                ),
                Panel(
                    "Hedges",
                    "Second tries beside a slow first.",
                    "reqps",
                    (rate("downstream_hedges_total", _CHOSEN, _PAIR, _NAMED),),
                ),
            ),
        ),
        Row(
            "Limits",
            (
                Panel(
                    "Rejections",
                    "Calls that a policy did not let through, by reason.",
                    "reqps",
                    (
                        rate(
                            "downstream_rejections_total",
                            _CHOSEN,
                            "service, reason",
                            "{{service}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Bulkheads in use",
                    "Share of places taken.",
                    "percentunit",
                    (
                        Query(
                            f"max by ({_PAIR}) (bulkhead_in_flight{_CHOSEN}"
                            f" / (bulkhead_limit{_CHOSEN} > 0))",
                            _NAMED,
                        ),
                    ),
                    limit=1.0,
                ),
                Panel(
                    "Places",
                    "Calls at a time that each bulkhead lets through.",
                    "none",
                    (Query(f"max by ({_PAIR}) (bulkhead_limit{_CHOSEN})", _NAMED),),
                ),
            ),
        ),
        Row(
            "Fallbacks",
            (
                Panel(
                    "Served",
                    "Answers that stood in for a failed call, by kind.",
                    "reqps",
                    (
                        rate(
                            "fallback_served_total",
                            _CHOSEN,
                            "service, kind",
                            "{{service}} {{kind}}",
                        ),
                    ),
                ),
                Panel(
                    "Age of stale answers",
                    "95 % of the copies that stood in were younger. Above 15 minutes for 5 warns.",
                    "s",
                    (p95("stale_served_age_seconds", _CHOSEN, _PAIR, _NAMED),),
                    limit=900.0,
                ),
                Panel(
                    "Cache look-ups",
                    "By result. Errors are misses that cost a call and nothing else.",
                    "reqps",
                    (rate("cache_requests_total", "", "cache, result", "{{cache}} {{result}}"),),
                ),
            ),
        ),
    ),
    (
        Choice("job", "circuit_breaker_state"),
        Choice("service", "circuit_breaker_state"),
    ),
)
