"""Makes Grafana's JSON of a board, with the official Foundation SDK.

The data source is a variable, so that a board fits any Grafana; ids and places are given here, so that the
committed files change only where a board does. Every board has the same links and annotations.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.grafana.panel import Board, Choice, Kind, Panel, Query, Row

DATASOURCE: Final = "${datasource}"
TRACES: Final = "jaeger"
"""Uid of Jaeger, as provisioned."""

LOGS: Final = "http://localhost:8010/console"
"""Where logs are read unless the variable `logs` says otherwise: the supervisor's console."""

FAULTS: Final = "max by (experiment, service, fault) (chaos_fault_active) > 0"
PAGES: Final = 'ALERTS{alertstate="firing",severity="page"}'

HEIGHT: Final = 8
"""Of a panel, in Grafana's units."""

WIDTH: Final = 24
GOOD: Final = "green"
BAD: Final = "red"

_EXPLORE = (
    '/explore?left={"datasource":"' + TRACES + '","queries":[{"queryType":"search",'
    '"service":"${__field.labels.job}"}],"range":{"from":"${__from}","to":"${__to}"}}'
)


# The builders share their methods, and no type.
_BUILDERS: Final[Mapping[Kind, Callable[[], Any]]] = {
    Kind.LINES: timeseries.Panel,
    Kind.STAT: stat.Panel,
    Kind.STATES: statetimeline.Panel,
}


def as_json(board: Board) -> str:
    """The dashboard as Grafana imports it."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["baluarte", "generated"])
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .links(_links())
        .with_variable(_datasource())
        .with_variable(dashboard.TextBoxVariable("logs").label("Logs at").default_value(LOGS))
        .annotation(_annotation("Faults on purpose", FAULTS, "purple", "{{fault}} at {{service}}"))
        .annotation(_annotation("Pages", PAGES, BAD, "{{alertname}} {{service}}"))
    )
    for choice in board.choices:
        made.with_variable(_choice(choice))
    _place(made, board.rows)
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _place(made: dashboard.Dashboard, rows: tuple[Row, ...]) -> None:
    """Panels from left to right, row by row, each with the next id."""
    number, top = 0, 0
    for row in rows:
        number += 1
        heading = dashboard.Row(row.title).id(number)
        made.with_row(heading.grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=top)))
        top, left = top + 1, 0
        for panel in row.panels:
            number += 1
            if left + panel.width > WIDTH:
                top, left = top + HEIGHT, 0
            place = models.GridPos(h=HEIGHT, w=panel.width, x=left, y=top)
            made.with_panel(_panel(panel, number, place))
            left += panel.width
        top += HEIGHT


def _panel(panel: Panel, number: int, place: models.GridPos) -> Any:
    drawn = _BUILDERS[panel.kind]()
    drawn.title(panel.title).description(panel.description).unit(panel.unit).id(number)
    drawn.grid_pos(place).datasource(_reference())
    drawn.links([_link("Logs", "${logs}")])
    drawn.data_links([_link("Traces of this process", _EXPLORE)])
    drawn.thresholds(_thresholds(panel.limit))
    for name, query in zip("ABCDEFGH", panel.queries, strict=False):
        drawn.with_target(_target(name, query))
    if panel.kind is Kind.LINES:
        drawn.fill_opacity(8).legend(_legend())
        if panel.limit is not None:
            dashed = common_models.GraphThresholdsStyleMode.DASHED
            drawn.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
    return drawn


def _target(name: str, query: Query) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expression).ref_id(name).range()
    made.legend_format(query.legend).exemplar(query.exemplars).format(PromQueryFormat.TIME_SERIES)
    return made


def _thresholds(limit: float | None) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=GOOD)]
    if limit is not None and limit > 0:
        steps.append(models.Threshold(value=limit, color=BAD))
    elif limit is not None:  # bad below, as a budget is
        steps = [models.Threshold(value=None, color=BAD), models.Threshold(limit, GOOD)]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _legend() -> common.VizLegendOptions:
    place = common_models.LegendPlacement.BOTTOM
    return common.VizLegendOptions().show_legend(show_legend=True).placement(place)


def _reference() -> common_models.DataSourceRef:
    return common_models.DataSourceRef(type_val="prometheus", uid=DATASOURCE)


def _datasource() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _choice(choice: Choice) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(choice.name)
        .label(choice.name.capitalize())
        .datasource(_reference())
        .query(f"label_values({choice.metric}, {choice.name})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _annotation(name: str, expression: str, color: str, title: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(_reference())
        .enable(enable=True)
        .icon_color(color)
        .expr(expression)
        .title_format(title)
        .step("15s")
    )


def _links() -> list[Any]:
    others = (
        dashboard.DashboardLink("Baluarte")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags(["baluarte"])
        .as_dropdown(as_dropdown=True)
        .keep_time(keep_time=True)
    )
    traces = f'/explore?left={{"datasource":"{TRACES}"}}'
    return [others, _link("Traces", traces), _link("Logs", "${logs}")]


def _link(title: str, url: str) -> dashboard.DashboardLink:
    made = dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url)
    return made.target_blank(target_blank=True)
