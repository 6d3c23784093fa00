"""Error budgets that burn too fast, over two windows each: the long one proves it, the short one ends it."""

from monitoring.pace import Pace, text
from monitoring.prometheus.alert import PAGE, Alert, Chaos
from monitoring.prometheus.recording import bad_events, ratio
from monitoring.slo import BURNS, FEWEST_BAD, SLOS, Burn, Slo


def alerts(_: Pace) -> list[Alert]:
    """Two alerts for each objective and severity, alike but for windows and labels."""
    return [_alert(slo, burn) for slo in SLOS for burn in BURNS]


def _alert(slo: Slo, burn: Burn) -> Alert:
    limit = f"{burn.factor * slo.budget:g}"
    name = "ErrorBudgetBurn" if burn.severity == PAGE else "ErrorBudgetSlowBurn"
    long, short = text(burn.long), text(burn.short)
    chosen = f'{{slo="{slo.name}"}}'
    return Alert(
        name,
        burn.severity,
        f"{ratio(burn.long)}{chosen} > {limit}\n"
        f"and {ratio(burn.short)}{chosen} > {limit}\n"
        f"and {bad_events(burn.long)}{chosen} >= {FEWEST_BAD}",
        summary=f"Error budget of {slo.name}",
        fact=f"{{{{ $value | humanizePercentage }}}} of events were bad in {long} and above {limit} "
        f"in {short}: {burn.factor:g} times what the objective of {slo.objective:.4g} allows.",
        cause="Most likely one service behind the gateway fails or is slow: "
        "the Resilience dashboard shows whose breaker is open.",
        dashboard="baluarte-overview",
        wait=burn.wait,
        chaos=Chaos.OF_ANY,
        labels={"slo": slo.name, "window": long},
    )
