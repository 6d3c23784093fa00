"""Routes and receivers: valid, and every alert reaches whom it is for."""

import pytest
import yaml

from monitoring.alertmanager import config
from monitoring.files import HOUSE
from monitoring.prometheus.rules import all_alerts
from tests.monitoring import tools

FILE = HOUSE / "alertmanager" / "alertmanager.yml"
CONFIG = yaml.safe_load(FILE.read_text())


def test_amtool_finds_nothing_to_say() -> None:
    """The file and its templates are valid, with Slack and without."""
    done = tools.run("amtool", "check-config", FILE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("slack-page", ["severity=page", "alertname=LedgerImbalance", "service=ledger"]),
        ("slack-page", ["severity=page", "alertname=ServiceDown", "service=users", "chaos=off"]),
        ("slack-warn", ["severity=warn", "alertname=HighLatency", "service=gateway", "chaos=off"]),
        ("slack-info", ["severity=info", "alertname=LowStock", "service=store"]),
        ("watchdog", ["severity=none", "alertname=Watchdog"]),
        ("slack-gameday", ["severity=page", "alertname=ServiceDown", "chaos=active"]),
        ("slack-gameday", ["severity=warn", "alertname=HighLatency", "chaos=active"]),
        # Whatever nobody thought of is read by somebody.
        ("slack-warn", ["severity=urgent", "alertname=Unheard"]),
    ],
)
def test_alerts_reach_whom_they_are_for(receiver: str, labels: list[str]) -> None:
    """By severity, but in a game day to its own channel; invariants carry no chaos label at all."""
    done = tools.run(
        *("amtool", "config", "routes", "test"),
        f"--config.file={FILE}",
        f"--verify.receivers={receiver}",
        *labels,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_severity_has_a_route() -> None:
    """No alert of ours falls through to the receiver of the unheard."""
    matched = {m for route in CONFIG["route"]["routes"] for m in route["matchers"]}
    for severity in {alert.severity for alert in all_alerts()} - {"none"}:
        assert f'severity="{severity}"' in matched


def test_the_address_of_slack_is_no_part_of_the_file() -> None:
    """It is a secret: the file names where it lies."""
    assert CONFIG["global"] == {"slack_api_url_file": "/run/secrets/slack_api_url"}
    assert "hooks.slack.com" not in FILE.read_text()


def test_without_slack_nothing_is_sent() -> None:
    """On a machine of one's own alerts are looked at; no receiver tries to reach anybody."""
    made = yaml.safe_load(config.config(None))
    assert "global" not in made
    assert all(set(receiver) == {"name"} for receiver in made["receivers"])


def test_hiding_needs_something_in_common() -> None:
    """An outage hides what is told of the same service only, and never the ledger's invariants."""
    down, page = CONFIG["inhibit_rules"]
    assert down["equal"] == ["service"]
    assert 'alertname!~"Ledger.*"' in down["target_matchers"]
    assert page["equal"] == ["service", "chaos"]
