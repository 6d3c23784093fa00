"""Processes, their dependencies, and the watch itself."""

from monitoring.grafana.panel import RATE, Board, Choice, Kind, Panel, Query, Row, rate

_CHOSEN = '{job=~"$job"}'
_PROCESS = "{{job}} {{instance}}"

BOARD = Board(
    "baluarte-infrastructure",
    "Baluarte / Infrastructure",
    "Use of the machine by each process, what each reaches, and whether the watch is awake.",
    (
        Row(
            "Processes",
            (
                Panel(
                    "CPU",
                    "Processors in use, per process; one process uses one at most.",
                    "none",
                    (Query(f"rate(process_cpu_seconds_total{_CHOSEN}{RATE})", _PROCESS),),
                    limit=0.9,
                ),
                Panel(
                    "Memory",
                    "Resident. It must level off.",
                    "bytes",
                    (Query(f"process_resident_memory_bytes{_CHOSEN}", _PROCESS),),
                ),
                Panel(
                    "Open files",
                    "Share of what is allowed: sockets too.",
                    "percentunit",
                    (Query(f"process_open_fds{_CHOSEN} / process_max_fds{_CHOSEN}", _PROCESS),),
                    limit=0.8,
                ),
                Panel(
                    "Age",
                    "Since each process started: a fall is a restart.",
                    "s",
                    (Query(f"time() - process_start_time_seconds{_CHOSEN}", _PROCESS),),
                ),
                Panel(
                    "Dependencies",
                    "1 when it answered the last readiness check of that process.",
                    "none",
                    (
                        Query(
                            f"min by (job, dependency) (dependency_up{_CHOSEN})",
                            "{{job}} → {{dependency}}",
                        ),
                    ),
                    Kind.STATES,
                ),
                Panel(
                    "Requests between processes",
                    "By status, health checks and scrapes included.",
                    "reqps",
                    (
                        rate(
                            "http_server_request_duration_seconds_count",
                            _CHOSEN,
                            "job, status_class",
                            "{{job}} {{status_class}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "The watch",
            (
                Panel(
                    "Time of a scrape",
                    "Per target; as long as the interval, and samples are lost.",
                    "s",
                    (Query(f"scrape_duration_seconds{_CHOSEN}", _PROCESS),),
                ),
                Panel(
                    "Series told",
                    "Samples per scrape: a jump is a label that has run wild.",
                    "none",
                    (Query(f"scrape_samples_scraped{_CHOSEN}", _PROCESS),),
                ),
                Panel(
                    "Series held",
                    "By Prometheus, in memory.",
                    "none",
                    (Query("prometheus_tsdb_head_series", "series"),),
                ),
                Panel(
                    "Evaluation of rules",
                    "Time of the last evaluation of each group.",
                    "s",
                    (Query("prometheus_rule_group_last_duration_seconds", "{{rule_group}}"),),
                ),
                Panel(
                    "Alerts sent",
                    "From Prometheus to Alertmanager, and those that failed.",
                    "ops",
                    (
                        rate("prometheus_notifications_sent_total", "", "alertmanager", "sent"),
                        rate("prometheus_notifications_errors_total", "", "alertmanager", "failed"),
                    ),
                ),
                Panel(
                    "Messages to people",
                    "From Alertmanager, by way; failures warn.",
                    "ops",
                    (
                        rate(
                            "alertmanager_notifications_total",
                            '{integration="slack"}',
                            "integration",
                            "{{integration}}",
                        ),
                        rate(
                            "alertmanager_notifications_failed_total",
                            '{integration="slack"}',
                            "integration",
                            "{{integration}} failed",
                        ),
                    ),
                ),
            ),
        ),
    ),
    (Choice("job", "up"),),
)
