"""Charts as inline SVG: lines, stacked areas and lanes on one common time axis.

Colours are classes of the stylesheet (`line-…`, `fill-…`), so that one drawing serves light, dark and paper.
Each chart has a title and a description, and each series a dash or a pattern beside its colour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.record import Curve
from chaos.report import words
from chaos.report.markup import Markup, clipped, element, joined
from chaos.report.scales import Scale

WIDTH: Final = 960
LEFT: Final = 64
RIGHT: Final = 14
TOP: Final = 18
"""Room for the letters of the faults."""
FOOT: Final = 22
"""Room for the seconds."""
PLOT: Final = 132
LABEL: Final = 16
LANE: Final = 20
TEXTURED: Final = frozenset({"half-open"})
"""Bars with a pattern beside their colour."""
LETTER_WIDTH: Final = 6.4
"""Pixels of a letter of the lanes' text, on the safe side."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time to shade; one without length is a line."""

    letter: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Axis:
    """What all charts of a timeline share."""

    time: Scale
    bands: tuple[Band, ...] = ()
    edges: tuple[float, ...] = ()
    """Where phases meet."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A coloured stretch of a lane, with its text."""

    start: float
    end: float
    tone: str
    text: str = ""


def chart(
    axis: Axis,
    values: Scale,
    unit: str,
    drawing: Markup,
    *,
    name: str,
    title: str,
    description: str,
) -> Markup:
    """A drawing between its axes. `name` is the id that the read-out knows it by."""
    height = TOP + PLOT + FOOT
    return _svg(
        name,
        height,
        title,
        description,
        _bands(axis, TOP + PLOT, lettered=True),
        _values(values, unit),
        _seconds(axis, TOP + PLOT),
        drawing,
    )


def lines(axis: Axis, values: Scale, curves: Sequence[Curve]) -> Markup:
    """One line for each curve; the class says how it looks."""
    return joined(_line(axis, values, curve, f"line line-{curve.name}") for curve in curves)


def area(axis: Axis, values: Scale, curve: Curve, look: str) -> Markup:
    """A curve filled down to zero, interrupted where it has gaps."""
    shapes = []
    for run in _runs(curve):
        first, last, zero = axis.time(run[0][0]), axis.time(run[-1][0]), values.start
        foot = f"L{last:.1f} {zero:.1f}L{first:.1f} {zero:.1f}Z"
        shapes.append(element("path", class_=f"area {look}", d=_path(axis, values, run) + foot))
    return joined([*shapes, _line(axis, values, curve, f"line {look}")])


def stacked(axis: Axis, values: Scale, curves: Sequence[Curve]) -> Markup:
    """Curves on top of each other, the first one at the bottom. They share their times; a gap is zero."""
    if not curves:
        return Markup("")
    times = [at for at, _ in curves[0].points]
    below = [0.0] * len(times)
    shapes = []
    for curve in curves:
        own = [value or 0.0 for _, value in curve.points]
        above = [low + value for low, value in zip(below, own, strict=True)]
        if any(own):
            there = _path(axis, values, list(zip(times, above, strict=True)))
            back = _path(axis, values, list(zip(times, below, strict=True))[::-1])
            shape = f"{there}L{back[1:]}Z"
            shapes.append(element("path", class_=f"layer fill-{curve.name}", d=shape))
            shapes.append(element("path", class_=f"texture texture-{curve.name}", d=shape))
        below = above
    return joined(shapes)


def reference(values: Scale, value: float, text: str) -> Markup:
    """A dotted line at a value, with its text."""
    y = values(value)
    return joined(
        (
            element("line", class_="reference", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y),
            element(
                "text",
                text,
                class_="reference-text",
                x=WIDTH - RIGHT - 4,
                y=y - 4,
                text_anchor="end",
            ),
        )
    )


def lanes(
    axis: Axis,
    rows: Sequence[tuple[str, Sequence[Segment]]],
    *,
    name: str,
    title: str,
    description: str,
) -> Markup:
    """Rows of coloured bars, each under its own line of text; one without text is flat."""
    foot = float(TOP)
    drawn = []
    for label, segments in rows:
        if label:
            drawn.append(_lane_label(axis, foot, label, segments))
        bar = foot + (LABEL if label else 0)
        drawn.append(joined(_segment(axis, bar, one) for one in segments))
        foot = bar + LANE
    parts = (_bands(axis, foot), _seconds(axis, foot), *drawn)
    return _svg(name, foot + FOOT, title, description, *parts)


def _svg(name: str, height: float, title: str, description: str, *content: Markup) -> Markup:
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        *content,
        element("line", class_="crosshair", x1=0, x2=0, y1=TOP - 4, y2=height - FOOT),
        id=name,
        class_="chart",
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
        xmlns="http://www.w3.org/2000/svg",
    )


def _bands(axis: Axis, foot: float, *, lettered: bool = False) -> Markup:
    parts: list[Markup] = []
    last = -100.0
    for band in axis.bands:
        x, end = axis.time(band.start), axis.time(band.end)
        parts.append(
            element(
                "rect",
                class_="band",
                x=x,
                y=TOP - 4,
                width=max(end - x, 1.5),
                height=foot - TOP + 4,
            )
        )
        parts += [
            element("line", class_="band-edge", x1=at, x2=at, y1=TOP - 4, y2=foot)
            for at in sorted({x, end})
        ]
        if lettered:
            last = max(x + 2, last + 11)
            parts.append(element("text", band.letter, class_="band-letter", x=last, y=TOP - 7))
    parts += [
        element("line", class_="edge", x1=axis.time(at), x2=axis.time(at), y1=TOP - 4, y2=foot)
        for at in axis.edges
    ]
    return joined(parts)


def _values(values: Scale, unit: str) -> Markup:
    parts: list[Markup] = []
    for tick in values.ticks:
        y = values(tick)
        parts.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        text = words.quantity(tick, unit)
        parts.append(element("text", text, class_="tick", x=LEFT - 8, y=y + 4, text_anchor="end"))
    return joined(parts)


def _seconds(axis: Axis, foot: float) -> Markup:
    return joined(
        element(
            "text",
            f"{tick:g} s",
            class_="tick",
            x=axis.time(tick),
            y=foot + 16,
            text_anchor="middle",
        )
        for tick in axis.time.ticks
        if axis.time(tick) < WIDTH - RIGHT - 4
    )


def _runs(curve: Curve) -> Iterable[list[tuple[float, float]]]:
    """The stretches between gaps."""
    run: list[tuple[float, float]] = []
    for at, value in curve.points:
        if value is not None:
            run.append((at, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _path(axis: Axis, values: Scale, points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{axis.time(at):.1f} {values(value):.1f}" for at, value in points)


def _line(axis: Axis, values: Scale, curve: Curve, look: str) -> Markup:
    """The curve's line; a point that stands alone between gaps is a dot."""
    runs = list(_runs(curve))
    path = "".join(_path(axis, values, run) for run in runs if len(run) > 1)
    dots = [
        element("circle", class_=f"dot {look}", cx=axis.time(run[0][0]), cy=values(run[0][1]), r=2)
        for run in runs
        if len(run) == 1
    ]
    return joined([*([element("path", class_=look, d=path)] if path else []), *dots])


def _lane_label(axis: Axis, top: float, label: str, segments: Sequence[Segment]) -> Markup:
    """The text of a lane, beginning where its first bar does if there is room."""
    label = clipped(label, int((WIDTH - RIGHT - LEFT) / LETTER_WIDTH))
    first = min((axis.time(one.start) for one in segments), default=LEFT)
    x = max(LEFT, min(first, WIDTH - RIGHT - len(label) * LETTER_WIDTH))
    return element("text", label, class_="lane-label", x=x, y=top + 12)


def _segment(axis: Axis, top: float, one: Segment) -> Markup:
    """A bar, with its text where it fits."""
    start = axis.time(one.start)
    box = {"x": start, "y": top, "width": max(axis.time(one.end) - start, 3), "height": 15}
    parts = [element("rect", class_=f"segment segment-{one.tone}", **box)]
    if one.tone in TEXTURED:
        parts.append(element("rect", class_=f"texture texture-{one.tone}", **box))
    if len(one.text) * LETTER_WIDTH + 8 < box["width"]:
        look = f"segment-text segment-text-{one.tone}"
        parts.append(element("text", one.text, class_=look, x=start + 5, y=top + 11.5))
    return joined(parts)
