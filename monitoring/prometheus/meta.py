"""Whether the watch itself is awake."""

from monitoring.pace import Pace
from monitoring.prometheus.alert import NONE, PAGE, WARN, Alert, Chaos
from monitoring.slo import SLOS, THRESHOLDS


def alerts(pace: Pace) -> list[Alert]:
    window = pace.text(THRESHOLDS.window)
    return [
        Alert(
            "Watchdog",
            NONE,
            "vector(1)",
            summary="The watch is awake",
            fact="This alert always fires.",
            cause="Connect its receiver to a service that tells when it stops coming.",
            dashboard="baluarte-infrastructure",
            chaos=Chaos.NONE,
        ),
        Alert(
            "NotificationFailures",
            WARN,
            f"sum(increase(prometheus_notifications_errors_total[{window}])) > 0\n"
            f"or sum(increase(alertmanager_notifications_failed_total[{window}])) > 0\n"
            "or max(prometheus_notifications_alertmanagers_discovered) < 1",
            summary="Alerts on their way to people",
            fact="Notifications failed in the last 5 minutes, or no Alertmanager is known.",
            cause="Alertmanager is down, or Slack refuses the webhook.",
            dashboard="baluarte-infrastructure",
            chaos=Chaos.NONE,
        ),
        Alert(
            "RuleFailures",
            WARN,
            f"sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[{window}]))"
            " > 0",
            summary="Evaluation of rules",
            fact="Rules of {{ $labels.rule_group }} failed to evaluate in the last 5 minutes.",
            cause="Series have other labels than the rule expects, or the server is overloaded.",
            dashboard="baluarte-infrastructure",
            chaos=Chaos.NONE,
        ),
        *(
            Alert(
                "SloSeriesAbsent",
                PAGE,
                f"absent({slo.proof})",
                summary=f"The measurement of {slo.name}",
                fact=f"There has been no series of {slo.name} for 5 minutes: it would read 100 %.",
                cause="A metric or label was renamed, or its process is not scraped.",
                dashboard="baluarte-overview",
                wait=THRESHOLDS.absent_for,
                chaos=Chaos.NONE,
                labels={"slo": slo.name, "service": slo.service},
            )
            for slo in SLOS
        ),
    ]
