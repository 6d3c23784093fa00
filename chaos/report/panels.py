"""What stands on the timeline: one function for each chart, which gives nothing where there is nothing."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.record import Curve, Run
from chaos.report import charts, words
from chaos.report.charts import PLOT, TOP, Axis
from chaos.report.curves import (
    GOODPUT,
    KNOWN,
    LATENCY_P50,
    LATENCY_P95,
    RATES,
    STALE_AGE,
    STALE_SHARE,
    shortened,
    together,
)
from chaos.report.markup import Markup, element, joined
from chaos.report.scales import Scale, latency_scale, value_scale

BASELINE: Final = "baseline"
"""Name of the phase that goodput is compared with."""

MAX_OTHERS: Final = 12
"""Curves without a chart of their own that are drawn."""

SERIES: Final = 4
"""Looks there are for them; a chart holds as many."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with its heading and legend, and the curves that the read-out names."""

    name: str
    heading: str
    legend: Markup
    svg: Markup
    curves: tuple[Curve, ...] = ()


Curves = Mapping[str, Curve]
"""Those of the run that have points, by name."""


def latency(axis: Axis, curves: Curves, _: Run) -> Panel | None:
    """p50 and p95; logarithmic where a fault made them far apart."""
    found = [shortened(curves[name]) for name in (LATENCY_P50, LATENCY_P95) if name in curves]
    if not found:
        return None
    scale = latency_scale(_all(found), TOP + PLOT, TOP)
    key = legend([(f"line line-{curve.name}", _label(curve)) for curve in found])
    heading = "Latency" + (", on a logarithmic axis" if scale.logarithmic else "")
    return _panel("latency", heading, key, axis, scale, charts.lines(axis, scale, found), found)


def rates(axis: Axis, curves: Curves, _: Run) -> Panel | None:
    """Answers a second, stacked by outcome."""
    found = together([curves[name] for name in RATES.values() if name in curves])
    if not found:
        return None
    sums = [
        sum(value or 0.0 for _, value in at) for at in zip(*(c.points for c in found), strict=True)
    ]
    scale = value_scale(sums, TOP + PLOT, TOP)
    told = []
    for outcome, name in RATES.items():
        if any(value for curve in found if curve.name == name for _, value in curve.points):
            told.append((f"fill-{name} texture-{name}", words.OUTCOMES[outcome]))
    drawing = charts.stacked(axis, scale, found)
    key = legend(told)
    return _panel("rates", "Answers a second, by outcome", key, axis, scale, drawing, found)


def stale_share(axis: Axis, curves: Curves, _: Run) -> Panel | None:
    """How much of what was shown was old."""
    if not _any(curves.get(STALE_SHARE)):
        return None
    curve = shortened(curves[STALE_SHARE])
    scale = value_scale(_all([curve]), TOP + PLOT, TOP, top=0.04)
    drawing = charts.area(axis, scale, curve, "line-stale_share")
    return _panel(
        "stale-share", "Share of stale answers", Markup(""), axis, scale, drawing, [curve]
    )


def stale_age(axis: Axis, curves: Curves, _: Run) -> Panel | None:
    """How old it was."""
    if not _any(curves.get(STALE_AGE)):
        return None
    curve = shortened(curves[STALE_AGE])
    scale = value_scale(_all([curve]), TOP + PLOT, TOP)
    drawing = charts.area(axis, scale, curve, "line-stale_age")
    return _panel(
        "stale-age", "Age of the oldest copy shown", Markup(""), axis, scale, drawing, [curve]
    )


def goodput(axis: Axis, curves: Curves, run: Run) -> Panel | None:
    """Kept answers a second, against those of the baseline."""
    if GOODPUT not in curves:
        return None
    full = curves[GOODPUT]
    curve = shortened(full)
    scale = value_scale(_all([curve]), TOP + PLOT, TOP)
    drawing = charts.area(axis, scale, curve, "line-goodput")
    base = next((phase for phase in run.phases if phase.name == BASELINE), None)
    before = [
        value
        for at, value in full.points
        if base and base.start <= at < base.end and value is not None
    ]
    if before:
        mean = sum(before) / len(before)
        drawing = joined(
            (drawing, charts.reference(scale, mean, f"baseline {words.number(mean)}/s"))
        )
    heading = "Goodput: answers a second that kept a promise"
    return _panel("goodput", heading, Markup(""), axis, scale, drawing, [curve])


DRAWN: Final[tuple[Callable[[Axis, Curves, Run], Panel | None], ...]] = (
    latency,
    rates,
    stale_share,
    stale_age,
    goodput,
)
"""From top to bottom."""


def others(axis: Axis, curves: Curves) -> list[Panel]:
    """Curves that no chart above knows, a few of the same unit on each chart."""
    by_unit: dict[str, list[Curve]] = {}
    for name, curve in list(curves.items()):
        if name not in KNOWN:
            by_unit.setdefault(curve.unit, []).append(curve)
    charts_of = [
        (unit, its[start : start + SERIES])
        for unit, its in by_unit.items()
        for start in range(0, len(its), SERIES)
    ]
    panels = []
    for number, (unit, its) in enumerate(charts_of[: MAX_OTHERS // SERIES]):
        found = [
            Curve(
                name=f"series-{place}",
                unit=unit,
                label=_label(curve),
                points=shortened(curve).points,
            )
            for place, curve in enumerate(its)
        ]
        scale = value_scale(_all(found), TOP + PLOT, TOP)
        key = legend([(f"line line-{curve.name}", _label(curve)) for curve in found])
        drawing = charts.lines(axis, scale, found)
        heading = f"Also measured{f', in {unit}' if unit else ''}"
        panels.append(_panel(f"other-{number}", heading, key, axis, scale, drawing, found))
    return panels


def _panel(
    name: str,
    heading: str,
    legend: Markup,
    axis: Axis,
    scale: Scale,
    drawing: Markup,
    curves: Sequence[Curve],
) -> Panel:
    unit = curves[0].unit
    told = ". ".join(_told(curve) for curve in curves)
    svg = charts.chart(axis, scale, unit, drawing, name=name, title=heading, description=told)
    return Panel(name, heading, legend, svg, tuple(curves))


def _told(curve: Curve) -> str:
    """A curve in a sentence, for who cannot see it."""
    values = list(_all([curve]))
    if not values:
        return f"{_label(curve)}: no values"
    low, high = (words.quantity(value, curve.unit) for value in (min(values), max(values)))
    peak = next(at for at, value in curve.points if value == max(values))
    return f"{_label(curve)}: from {low} to {high}, highest at {words.seconds(peak)}"


def _label(curve: Curve) -> str:
    return curve.label or curve.name


def _all(curves: Iterable[Curve]) -> list[float]:
    return [
        value
        for curve in curves
        for _, value in curve.points
        if value is not None and math.isfinite(value)
    ]


def _any(curve: Curve | None) -> bool:
    """Whether there is more than zeros and gaps to draw."""
    return curve is not None and any(value for _, value in curve.points)


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Swatches with their texts; a class of several words is one shape for each but `line`."""
    return element(
        "ul", *(element("li", _swatch(look), text) for look, text in entries), class_="legend"
    )


def _swatch(look: str) -> Markup:
    if look.startswith("line "):
        shapes = [element("line", class_=look, x1=0, x2=26, y1=6, y2=6)]
    else:
        shapes = [
            element("rect", class_=one, x=0, y=0, width=26, height=12) for one in look.split()
        ]
    return element("svg", *shapes, class_="swatch", viewBox="0 0 26 12", aria_hidden="true")
