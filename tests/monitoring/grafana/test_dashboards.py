"""The dashboards: what a reader, and a Grafana that is not at hand, would find wrong with them."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.files import HOUSE
from monitoring.grafana.boards import BOARDS
from monitoring.grafana.build import TRACES
from monitoring.prometheus.rules import all_alerts
from tests.monitoring import tools

FILES = sorted((HOUSE / "grafana" / "dashboards").glob("*.json"))
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"bytes", "none", "ops", "percentunit", "reqps", "s"}


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Panels that draw, without headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(board: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target


def plain(expression: str) -> str:
    """An expression with Grafana's variables filled in."""
    filled = expression.replace("$__rate_interval", "1m")
    return re.sub(r"\$\{?\w+\}?", ".*", filled)


each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_the_six_are_there() -> None:
    """One file for each board, and no file that nothing makes."""
    assert [path.stem for path in FILES] == sorted(board.uid for board in BOARDS)
    assert len(FILES) == 6


@each
def test_every_panel_can_be_read(path: Path) -> None:
    """A title that is its own, a description, a unit that is known, and a name for every series."""
    found = panels(load(path))
    for panel in found:
        assert len(panel["description"]) > 15, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
    titles = [panel["title"] for panel in found]
    assert len(set(titles)) == len(titles)


@each
def test_the_data_source_is_a_variable(path: Path) -> None:
    """A uid of one Grafana would leave every panel empty in another."""
    board = load(path)
    chosen = [variable for variable in board["templating"]["list"] if variable["type"] == "query"]
    named = [thing["datasource"] for thing in [*panels(board), *chosen]]
    named += [annotation["datasource"] for annotation in board["annotations"]["list"]]

    assert board["templating"]["list"][0]["name"] == "datasource"
    assert all(source == DATASOURCE for source in named)


@each
def test_rates_follow_the_screen(path: Path) -> None:
    """A rate over a fixed window is empty, or lies, as soon as intervals differ."""
    for title, target in targets(load(path)):
        for window in re.findall(r"rate\([^\[]*\[([^\]]+)\]", target["expr"]):
            assert window == "$__rate_interval", title


@each
def test_ids_are_unique_and_nothing_overlaps(path: Path) -> None:
    """Links to a panel stay right, and none lies under another or off the screen."""
    board = load(path)
    ids = [panel["id"] for panel in board["panels"]]
    places = [panel["gridPos"] for panel in board["panels"]]

    assert len(set(ids)) == len(ids)
    assert board["uid"] == path.stem
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@each
def test_faults_on_purpose_are_drawn_on_all(path: Path) -> None:
    """Whoever sees a dent sees at once whether somebody made it."""
    annotations = load(path)["annotations"]["list"]
    assert any("chaos_fault_active" in annotation["expr"] for annotation in annotations)


@each
def test_panels_lead_to_traces_and_logs(path: Path) -> None:
    """From every panel one click leads on, and exemplars are asked for where they exist."""
    board = load(path)
    for panel in panels(board):
        assert [link["title"] for link in panel["links"]] == ["Logs"]
        (traces,) = panel["fieldConfig"]["defaults"]["links"]
        assert TRACES in traces["url"]
    for title, target in targets(board):
        assert target["exemplar"] == ("histogram_quantile" in target["expr"]), title


@each
def test_promql_understands_every_query(path: Path, tmp_path: Path) -> None:
    """Panels and annotations: what Prometheus cannot read shows nothing but an error."""
    board = load(path)
    expressions = [plain(target["expr"]) for _, target in targets(board)]
    expressions += [annotation["expr"] for annotation in board["annotations"]["list"]]

    assert tools.check_expressions(expressions, tmp_path) == ""


@each
def test_every_metric_exists(path: Path, known_metrics: list[str]) -> None:
    """No panel about a series that nobody tells; variables and annotations neither."""
    board = load(path)
    named = {name for _, target in targets(board) for name in tools.metrics_in(target["expr"])}
    for annotation in board["annotations"]["list"]:
        named |= tools.metrics_in(annotation["expr"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            metric, _, _ = variable["query"].removeprefix("label_values(").partition(",")
            named |= tools.metrics_in(metric)

    assert tools.unknown(named, known_metrics) == set()


def test_alerts_lead_to_boards_that_exist() -> None:
    """The button of every alert opens one of the six."""
    assert {alert.dashboard for alert in all_alerts()} <= {board.uid for board in BOARDS}


def test_provisioning_names_what_the_boards_link_to() -> None:
    """Data sources have fixed uids, and exemplars lead to the one with the traces."""
    folder = HOUSE / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "baluarte.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "baluarte.yaml").read_text())["providers"]
    prometheus, _, jaeger = sources

    assert jaeger["uid"] == TRACES
    assert prometheus["isDefault"]
    (link,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert link == {"name": "trace_id", "datasourceUid": TRACES}
    assert provider["options"]["path"] == "$WATCH_DASHBOARDS"
