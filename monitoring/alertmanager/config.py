"""`alertmanager.yml`: routes by severity, a channel for game days, and what hides what."""

from dataclasses import dataclass
from typing import Final

from monitoring.pace import NORMAL, Pace
from monitoring.slo import HOUR, MINUTE
from monitoring.yaml_text import Node, dump

HEAD: Final = (
    "# DO NOT EDIT: generated from monitoring/alertmanager/config.py by `make generate`.\n"
)


@dataclass(frozen=True, slots=True)
class Slack:
    """Where Slack is.

    Attributes:
        url_file: a file with the webhook's address, which is a secret.
    """

    url_file: str


PRODUCTION: Final = Slack("/run/secrets/slack_api_url")


@dataclass(frozen=True, slots=True)
class Channel:
    """A receiver in Slack, and how often it hears of what goes on."""

    severity: str
    name: str
    wait: float
    again: float


CHANNELS: Final = (
    Channel("page", "#baluarte-page", 10.0, 1 * HOUR),
    Channel("warn", "#baluarte-warn", 30.0, 4 * HOUR),
    Channel("info", "#baluarte-info", 5 * MINUTE, 24 * HOUR),
)
GAME_DAY: Final = Channel("gameday", "#baluarte-gameday", 10.0, 1 * HOUR)
"""Hears of everything that a fault on purpose explains: so that people see detection work."""

GROUP_BY: Final = ["alertname", "service", "chaos"]
GROUP_INTERVAL: Final = 1 * MINUTE
WATCHDOG_AGAIN: Final = 5 * MINUTE


def config(
    slack: Slack | None = PRODUCTION, pace: Pace = NORMAL, templates: str = "templates/*.tmpl"
) -> str:
    """The file.

    Args:
        slack: None where there is none: alerts are then seen in Alertmanager's own pages only.
        templates: where the texts lie, relative to this file.
    """
    document: dict[str, Node] = {}
    if slack is not None:
        document["global"] = {"slack_api_url_file": slack.url_file}
    document["templates"] = [templates]
    document["route"] = _route(pace)
    document["inhibit_rules"] = _inhibitions()
    document["receivers"] = [
        *(_receiver(channel, slack) for channel in (*CHANNELS, GAME_DAY)),
        # Give it a webhook_configs entry that leads to a dead man's switch.
        {"name": "watchdog"},
    ]
    return HEAD + dump(document)


def _route(pace: Pace) -> Node:
    ends = [_route_to(channel, f'severity="{channel.severity}"', pace) for channel in CHANNELS]
    return {
        "receiver": "slack-warn",
        "group_by": GROUP_BY,
        "group_wait": pace.text(30.0),
        "group_interval": pace.text(GROUP_INTERVAL),
        "repeat_interval": pace.text(4 * HOUR),
        "routes": [
            {
                "receiver": "watchdog",
                "matchers": ['alertname="Watchdog"'],
                "repeat_interval": pace.text(WATCHDOG_AGAIN),
            },
            _route_to(GAME_DAY, 'chaos="active"', pace),
            *ends,
        ],
    }


def _route_to(channel: Channel, matcher: str, pace: Pace) -> Node:
    return {
        "receiver": f"slack-{channel.severity}",
        "matchers": [matcher],
        "group_wait": pace.text(channel.wait),
        "repeat_interval": pace.text(channel.again),
    }


def _inhibitions() -> list[Node]:
    return [
        # A service that is down explains whatever else is told of it.
        {
            "source_matchers": ['alertname="ServiceDown"'],
            "target_matchers": [
                'alertname!="ServiceDown"',
                'alertname!~"Ledger.*"',
                'severity=~"page|warn"',
            ],
            "equal": ["service"],
        },
        # Who is woken need not be told more softly as well.
        {
            "source_matchers": ['severity="page"'],
            "target_matchers": ['severity="warn"'],
            "equal": ["service", "chaos"],
        },
    ]


def _receiver(channel: Channel, slack: Slack | None) -> Node:
    name = f"slack-{channel.severity}"
    if slack is None:
        return {"name": name}
    return {"name": name, "slack_configs": [_slack(channel)]}


def _slack(channel: Channel) -> Node:
    return {
        "channel": channel.name,
        "send_resolved": True,
        "color": '{{ template "baluarte.color" . }}',
        "title": '{{ template "baluarte.title" . }}',
        "title_link": '{{ template "baluarte.silences" . }}',
        "text": '{{ template "baluarte.text" . }}',
        "fallback": '{{ template "baluarte.title" . }}',
        "mrkdwn_in": ["text"],
        "actions": [
            _button("Runbook", "{{ .CommonAnnotations.runbook_url }}"),
            _button("Dashboard", "{{ .CommonAnnotations.dashboard_url }}"),
            _button("Query", "{{ (index .Alerts 0).GeneratorURL }}"),
            _button("Silence", '{{ template "baluarte.silence" . }}'),
        ],
    }


def _button(text: str, url: str) -> Node:
    return {"type": "button", "text": text, "url": url}
