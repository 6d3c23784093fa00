"""The rules: current, clean, each proved, each with a runbook, about metrics that exist."""

import re
from pathlib import Path

import pytest
import yaml

from monitoring.alert_table import inserted
from monitoring.files import DOCS_PAGE, HOUSE, files
from monitoring.links import Links
from monitoring.pace import Pace
from monitoring.prometheus import rules as rule_files
from monitoring.prometheus.alert import INFO, NONE, PAGE, WARN
from monitoring.prometheus.rules import all_alerts
from tests.monitoring import tools

ALERTS = sorted({alert.name for alert in all_alerts()})


def cases() -> list[tuple[str, bool]]:
    """Of each rule test: the alert that it is about, and whether it wants it to fire."""
    found = []
    for path in tools.RULE_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            alert = test["name"].partition(":")[0]
            about = [
                check
                for check in test["promql_expr_test"]
                if alert in check["expr"] or "ErrorBudget.*" in check["expr"]
            ]
            assert about, test["name"]
            found += [(alert, bool(check["exp_samples"])) for check in about]
    return found


@pytest.mark.parametrize("path", sorted(files()), ids=lambda path: path.name)
def test_generated_files_are_current(path: Path) -> None:
    """What is committed is what the tables say; `make generate` renews it."""
    assert path.read_text() == files()[path]
    if path.suffix != ".json":  # which knows no comments; Grafana shows a board's tag `generated`
        assert path.read_text().startswith("# DO NOT EDIT")


def test_the_page_lists_every_alert() -> None:
    """The table in the page is what the rules say; a page without a place for it is refused."""
    assert DOCS_PAGE.read_text() == inserted(DOCS_PAGE.read_text())
    assert all(f"[{alert}](runbooks/{alert}.md)" in DOCS_PAGE.read_text() for alert in ALERTS)
    with pytest.raises(ValueError, match="no place"):
        inserted("# Observability\n")


def test_no_rule_file_is_left_over() -> None:
    """A file that nothing generates any more would still be loaded."""
    made = {path for path in files() if path.parent.name == "rules"}
    assert set(tools.RULES) == made


def test_promtool_finds_nothing_to_say_about_rules() -> None:
    """Syntax, and everything that its linter knows, at any pace."""
    done = tools.run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *tools.RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus.compose.yml"])
def test_promtool_finds_nothing_to_say_about_configurations(name: str) -> None:
    """Both configurations are valid, with the rules that they load."""
    path = HOUSE / "prometheus" / name
    done = tools.run("promtool", "check", "config", "--lint=all", "--lint-fatal", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", tools.RULE_TESTS, ids=lambda path: path.stem)
def test_the_rule_tests_pass(path: Path) -> None:
    """Every test in `monitoring/prometheus/tests/` holds; each says there what it proves."""
    done = tools.run("promtool", "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_proved_to_fire_and_not_to_fire(alert: str) -> None:
    """One case in which it fires, and a neighbouring one in which it does not."""
    wanted = {fires for about, fires in cases() if about == alert}
    assert wanted == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_runbook_where_its_link_leads(alert: str) -> None:
    """Its link names a page that says what it means, whom it hurts, where to look, what to do."""
    links = {
        rule["annotations"]["runbook_url"] for rule in tools.rules() if rule.get("alert") == alert
    }
    (link,) = links
    page = (tools.RUNBOOKS / link.rpartition("/")[2]).read_text()
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    look = page.partition("## First look")[2].partition("## Mitigation")[0]

    assert headings == ["Meaning", "Impact", "First look", "Mitigation"]
    assert page.startswith(f"# {alert}\n")
    assert re.search(r"^\$ \w", look, re.MULTILINE), "no command to start with"


def test_no_runbook_without_an_alert() -> None:
    """A page of an alert that is gone would be read in vain."""
    assert sorted(path.stem for path in tools.RUNBOOKS.glob("*.md")) == ALERTS


def test_queries_of_runbooks_can_be_run(tmp_path: Path, known_metrics: list[str]) -> None:
    """Whoever is woken can paste them: PromQL understands each, and each metric exists."""
    pages = [path.read_text() for path in sorted(tools.RUNBOOKS.glob("*.md"))]
    queries = [query for page in pages for query in re.findall(r"'query=([^']+)'", page)]
    named = {name for query in queries for name in tools.metrics_in(query)}

    assert len(queries) > len(ALERTS)
    assert tools.check_expressions(queries, tmp_path) == ""
    assert tools.unknown(named, known_metrics) == set()


def test_rules_are_about_metrics_that_exist(known_metrics: list[str]) -> None:
    """A rule about a series that nobody tells would be silent for ever."""
    named = {name for rule in tools.rules() for name in tools.metrics_in(rule["expr"])}
    assert tools.unknown(named, known_metrics) == set()


def test_severities_are_those_that_somebody_listens_to() -> None:
    """Every alert has a severity that has a route, and words for people."""
    for rule in tools.rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {PAGE, WARN, INFO, NONE}
            assert set(rule["annotations"]) >= {"summary", "description", "dashboard_url"}


def test_one_factor_scales_every_duration() -> None:
    """At sixty times the pace every window and wait is a sixtieth; names of series stay."""
    normal, fast = rule_files.files(Pace(1)), rule_files.files(Pace(60))

    def durations(text: str) -> list[str]:
        return re.findall(r"\[(\w+)\]|for: (\w+)$", text, re.MULTILINE)

    assert durations(normal["burn.yaml"])
    for name, text in normal.items():
        pairs = list(zip(durations(text), durations(fast[name]), strict=True))
        for before, after in pairs:
            assert seconds("".join(before)) == pytest.approx(60 * seconds("".join(after)))
    assert re.findall("record: (.*)", normal["recording.yaml"]) == re.findall(
        "record: (.*)", fast["recording.yaml"]
    )
    assert "> 60" in normal["thresholds.yaml"]
    assert "saga_oldest_in_progress_age_seconds) > 1" in fast["thresholds.yaml"]


def seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = re.fullmatch(r"(\d+)(ms|[smhd])", text).groups()  # type: ignore[union-attr]
    return int(number) * units[unit]


def test_links_lead_where_the_reader_says() -> None:
    """Whoever mirrors the runbooks elsewhere says so once."""
    made = rule_files.files(links=Links("https://wiki.example/runbooks", "https://grafana.example"))
    text = made["invariants.yaml"]

    assert "runbook_url: https://wiki.example/runbooks/LedgerImbalance.md" in text
    assert "dashboard_url: https://grafana.example/d/baluarte-async" in text


def test_runbooks_are_read_at_grafana_unless_told_otherwise() -> None:
    """Who moves Grafana moves them with it: no address that is nobody's stands in a rule."""
    made = rule_files.files(links=Links(grafana="https://grafana.example"))
    text = made["invariants.yaml"]

    assert "runbook_url: https://grafana.example/public/runbooks/LedgerImbalance.md" in text
    assert not any("github.com" in path.read_text() for path in tools.RULES)


def test_a_pace_that_cannot_be_kept_is_refused() -> None:
    """Below a millisecond there is no duration, and none at a standstill."""
    with pytest.raises(ValueError, match="below what Prometheus can measure"):
        Pace(1e9).text(1)
    with pytest.raises(ValueError, match="positive"):
        Pace(0)
