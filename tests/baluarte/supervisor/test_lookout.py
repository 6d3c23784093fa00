"""The watch beside a platform: what it is told, what it needs, what it looks at."""

from pathlib import Path

import pytest

from baluarte.embedded import watch
from baluarte.errors import BaluarteError
from baluarte.supervisor import lookout
from baluarte.supervisor.plan import Options, Plan, make_plan


def plan_for(state: Path, environ: dict[str, str] | None = None, *, on: bool = True) -> Plan:
    options = Options(state, replicas={"users": 2}, monitoring=on)
    return make_plan(options, environ or {}, port_is_free=lambda _: True)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baluarte.embedded.watch.shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("installed")
def test_it_watches_every_process_by_its_service(tmp_path: Path) -> None:
    """Replicas are targets of their service, the supervisor one of its own; all on this machine."""
    plan = plan_for(tmp_path)
    prepared = {name: prepare() for name, _, prepare in lookout.servers(plan)}
    config = (tmp_path / "prometheus" / "prometheus.yml").read_text()

    assert set(prepared) == {"prometheus", "alertmanager"}
    for part in ("gateway", "users", "users-2", "supervisor", "alertmanager"):
        assert f"127.0.0.1:{plan.ports[part]}" in config
    assert config.count("job_name: users") == 1
    assert "--web.listen-address=127.0.0.1:9090" in prepared["prometheus"].argv
    assert "--enable-feature=exemplar-storage" in prepared["prometheus"].argv
    assert sorted(path.name for path in (tmp_path / "prometheus" / "rules").iterdir()) == [
        *("burn.yaml", "invariants.yaml", "meta.yaml", "recording.yaml", "thresholds.yaml")
    ]


def test_without_the_option_nothing_is_watched(tmp_path: Path) -> None:
    """No part, no port taken, and nothing has to be installed."""
    plan = plan_for(tmp_path, on=False)
    assert list(lookout.servers(plan)) == []
    assert plan.outlook is None


def test_what_is_missing_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both programs, each with how to get it."""
    monkeypatch.setattr("baluarte.embedded.watch.shutil.which", lambda _: None)
    with pytest.raises(BaluarteError) as refused:
        plan_for(tmp_path)

    assert list(refused.value.codes) == ["MONITORING_MISSING", "MONITORING_MISSING"]
    assert "apt install prometheus-alertmanager" in str(refused.value)


@pytest.mark.usefixtures("installed")
def test_slack_links_and_pace_come_from_the_environment(tmp_path: Path) -> None:
    """Without Slack alerts are looked at; with it, the file with its address is named and not read."""
    secret = tmp_path / "slack"
    secret.write_text("https://hooks.example/secret")
    told = {
        "BALUARTE_SLACK_URL_FILE": str(secret),
        "BALUARTE_RUNBOOKS_URL": "https://wiki.example/runbooks/",
        "BALUARTE_MONITORING_SPEED": "60",
    }
    for _, _, prepare in lookout.servers(plan_for(tmp_path, told)):
        prepare()
    manager = (tmp_path / "alertmanager" / "alertmanager.yml").read_text()
    rules = (tmp_path / "prometheus" / "rules" / "thresholds.yaml").read_text()

    assert f"slack_api_url_file: {secret}" in manager
    assert "hooks.example" not in manager
    assert "https://wiki.example/runbooks/ServiceDown.md" in rules
    assert "for: 1s" in rules
    assert plan_for(tmp_path).outlook == watch.Outlook()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BALUARTE_SLACK_URL_FILE", "/nowhere"),
        ("BALUARTE_RUNBOOKS_URL", "wiki"),
        ("BALUARTE_MONITORING_SPEED", "0.5"),
        ("BALUARTE_MONITORING_SPEED", "fast"),
    ],
)
def test_wrong_settings_are_told(tmp_path: Path, name: str, value: str) -> None:
    """Each names itself, before the first process starts."""
    with pytest.raises(BaluarteError, match=name) as refused:
        plan_for(tmp_path, {name: value})
    assert list(refused.value.codes) == ["SETTING_INVALID"]
