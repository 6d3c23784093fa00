"""Recording rules: the share of bad events of each objective, over every window that an alert needs."""

from monitoring.pace import Pace, text
from monitoring.slo import BURNS, PERIOD, SLOS, Slo
from monitoring.yaml_text import Node

SHORTEST = min(burn.short for burn in BURNS)


def ratio(window: float) -> str:
    """Name of the series with the share of bad events. It says the nominal window, at any pace."""
    return f"slo:sli_error:ratio_rate{text(window)}"


def bad_events(window: float) -> str:
    """Name of the series with the number of bad events."""
    return f"slo:sli_error:increase{text(window)}"


def groups(pace: Pace) -> list[Node]:
    """The rule groups."""
    short = sorted({window for burn in BURNS for window in (burn.short, burn.long)})
    return [
        *(
            {"name": f"slo-{slo.name}", "rules": [*_windows(slo, short, pace), *_budget(slo, pace)]}
            for slo in SLOS
        ),
        {"name": "red", "rules": _red(pace)},
    ]


def _windows(slo: Slo, windows: list[float], pace: Pace) -> list[Node]:
    rules: list[Node] = []
    longs = {burn.long for burn in BURNS}
    labels = {"slo": slo.name, "service": slo.service}
    for window in windows:
        total = slo.in_window(slo.total, pace.text(window))
        bad = slo.in_window(slo.bad, pace.text(window))
        # `or total * 0`: no error series yet is no error. `total > 0`: no traffic is no share at all.
        expression = f"((\n  {bad}\n) or (\n  {total}\n) * 0)\n/ ((\n  {total}\n) > 0)"
        rules.append({"record": ratio(window), "expr": expression, "labels": labels})
        if window in longs:
            rules.append({"record": bad_events(window), "expr": bad, "labels": labels})
    return rules


def _budget(slo: Slo, pace: Pace) -> list[Node]:
    labels = {"slo": slo.name, "service": slo.service}
    spent = f'avg_over_time({ratio(SHORTEST)}{{slo="{slo.name}"}}[{pace.text(PERIOD)}])'
    return [
        {"record": "slo:objective:ratio", "expr": f"vector({slo.objective:g})", "labels": labels},
        {
            "record": "slo:error_budget_remaining:ratio",
            "expr": f"1 - {spent} / {slo.budget:g}",
            "labels": labels,
        },
    ]


def _red(pace: Pace) -> list[Node]:
    """Rate, errors and duration of operations, per root field: what dashboards draw most."""
    window = pace.text(SHORTEST)
    duration = "graphql_operation_duration_seconds"
    return [
        {
            "record": "operation:graphql_requests:rate5m",
            "expr": f"sum by (operation, type, outcome) (rate({duration}_count[{window}]))",
        },
        {
            "record": "operation:graphql_duration_seconds:p95_5m",
            "expr": "histogram_quantile(0.95, sum by (operation, type, le) "
            f"(rate({duration}_bucket[{window}])))",
        },
    ]
