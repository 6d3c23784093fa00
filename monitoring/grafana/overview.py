"""Overview and objectives: is the bank well, and for how long yet."""

from monitoring.grafana.panel import Board, Kind, Panel, Query, Row, quantiles, rate
from monitoring.slo import SERVICES

_OPERATIONS = "graphql_operation_duration_seconds"
_JOBS = f'{{job=~"{"|".join(SERVICES)}"}}'

BOARD = Board(
    "baluarte-overview",
    "Baluarte / Overview and objectives",
    "Start here: objectives and their budgets, who is up, whether the money is right.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Error budget left",
                    "Share of the month's budget that is not spent, per objective. Below 0 the objective"
                    " of these 30 days is missed.",
                    "percentunit",
                    (Query("slo:error_budget_remaining:ratio", "{{slo}}"),),
                    Kind.STAT,
                    limit=0.0,
                ),
                Panel(
                    "Firing alerts",
                    "By severity. `none` is the watchdog: without it, nothing else would be told either.",
                    "none",
                    (Query('count by (severity) (ALERTS{alertstate="firing"})', "{{severity}}"),),
                    Kind.STAT,
                ),
                Panel(
                    "The ledger is off by",
                    "Minor units, by currency and law. Anything but 0 pages.",
                    "none",
                    (
                        Query(
                            "max by (currency, law) (abs(ledger_imbalance_minor_units))",
                            "{{currency}} {{law}}",
                        ),
                    ),
                    Kind.STAT,
                    width=4,
                    limit=1.0,
                ),
                Panel(
                    "Last check of the ledger",
                    "Seconds ago. It comes every 30 s; more than 120 pages.",
                    "s",
                    (Query("time() - max(ledger_check_last_success_timestamp_seconds)", "ago"),),
                    Kind.STAT,
                    width=4,
                    limit=120.0,
                ),
            ),
        ),
        Row(
            "Objectives",
            (
                Panel(
                    "Burn rate over 1 h",
                    "How many times faster than allowed the budget is spent. 14.4 over 1 h and 5 min pages.",
                    "none",
                    (
                        Query(
                            "slo:sli_error:ratio_rate1h / on (slo) (1 - slo:objective:ratio)",
                            "{{slo}}",
                        ),
                    ),
                    limit=14.4,
                ),
                Panel(
                    "Bad events over 5 min",
                    "Share of events that miss each objective. No line where there is no traffic.",
                    "percentunit",
                    (Query("slo:sli_error:ratio_rate5m", "{{slo}}"),),
                ),
                Panel(
                    "Faults on purpose",
                    "Active faults of chaos experiments; empty on a platform that takes none.",
                    "none",
                    (
                        Query(
                            "max by (experiment, service, fault) (chaos_fault_active)",
                            "{{experiment}}: {{fault}} at {{service}}",
                        ),
                    ),
                    Kind.STATES,
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                Panel(
                    "Operations by outcome",
                    "GraphQL operations a second. `degraded` was answered with stale or missing parts that"
                    " say so.",
                    "reqps",
                    (rate(f"{_OPERATIONS}_count", "", "outcome", "{{outcome}}"),),
                ),
                Panel(
                    "Duration",
                    "Of all operations; the objective is 99 % within 1 s.",
                    "s",
                    quantiles(_OPERATIONS),
                    limit=1.0,
                ),
                Panel(
                    "Who is up",
                    "Processes that answer their scrape, by service.",
                    "none",
                    (Query(f"sum by (service) (up{_JOBS})", "{{service}}"),),
                    Kind.STATES,
                ),
            ),
        ),
    ),
)
