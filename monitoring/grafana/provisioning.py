"""What Grafana reads when it starts: data sources and where the dashboards lie."""

from typing import Final

from monitoring.yaml_text import dump

HEAD: Final = (
    "# DO NOT EDIT: generated from monitoring/grafana/provisioning.py by `make generate`.\n"
)

PROMETHEUS_UID: Final = "prometheus"
TRACES_UID: Final = "jaeger"


def datasources() -> str:
    """Prometheus, whose exemplars lead to Jaeger. The addresses come from Grafana's environment."""
    return HEAD + dump(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": "Prometheus",
                    "uid": PROMETHEUS_UID,
                    "type": "prometheus",
                    "access": "proxy",
                    "url": "$WATCH_PROMETHEUS_URL",
                    "isDefault": True,
                    "editable": False,
                    "jsonData": {
                        "httpMethod": "POST",
                        "timeInterval": "15s",
                        "exemplarTraceIdDestinations": [
                            {"name": "trace_id", "datasourceUid": TRACES_UID}
                        ],
                    },
                },
                {
                    "name": "Alertmanager",
                    "uid": "alertmanager",
                    "type": "alertmanager",
                    "access": "proxy",
                    "url": "$WATCH_ALERTMANAGER_URL",
                    "editable": False,
                    "jsonData": {"implementation": "prometheus"},
                },
                {
                    "name": "Jaeger",
                    "uid": TRACES_UID,
                    "type": "jaeger",
                    "access": "proxy",
                    "url": "$WATCH_JAEGER_URL",
                    "editable": False,
                },
            ],
        }
    )


def dashboards() -> str:
    """The folder with the dashboards, read anew when a file changes."""
    return HEAD + dump(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": "baluarte",
                    "folder": "Baluarte",
                    "type": "file",
                    "allowUiUpdates": False,
                    "updateIntervalSeconds": 30,
                    "options": {"path": "$WATCH_DASHBOARDS"},
                }
            ],
        }
    )
