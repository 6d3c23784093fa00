"""What must never be so, however the traffic is. No fault on purpose excuses it."""

from monitoring.pace import Pace
from monitoring.prometheus.alert import PAGE, Alert, Chaos
from monitoring.slo import THRESHOLDS


def alerts(_: Pace) -> list[Alert]:
    return [
        Alert(
            "LedgerImbalance",
            PAGE,
            "max by (service, currency, law) (abs(ledger_imbalance_minor_units)) > 0",
            summary="The ledger's {{ $labels.law }} in {{ $labels.currency }}",
            fact='The ledger is off by {{ $value | printf "%.0f" }} minor units.',
            cause="Somebody changed rows by hand, or a posting is wrong: money is not conserved.",
            dashboard="baluarte-async",
            chaos=Chaos.NONE,
        ),
        Alert(
            "LedgerCheckStale",
            PAGE,
            "time() - max by (service) (ledger_check_last_success_timestamp_seconds)"
            f" > {THRESHOLDS.check_age:g}",
            summary="The ledger's check of itself",
            fact="It last succeeded {{ $value | humanizeDuration }} ago; it should every 30 s.",
            cause="The ledger's database is too slow or too busy for it: nobody watches the money.",
            dashboard="baluarte-async",
            wait=THRESHOLDS.check_for,
            chaos=Chaos.NONE,
        ),
        Alert(
            "LedgerContradiction",
            PAGE,
            "max by (service) (ledger_contradictions_total) > 0",
            summary="Answers of the ledger that deny what {{ $labels.service }} knows",
            fact='{{ $value | printf "%.0f" }} contradictions since the process started.',
            cause="Two databases were restored to different points, or a transfer's id was reused.",
            dashboard="baluarte-async",
            chaos=Chaos.NONE,
        ),
    ]
