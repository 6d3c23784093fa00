"""The timeline: faults shaded over latency, outcomes, staleness and goodput, with the breakers below."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from chaos.record import AlertSeen, AppliedFault, Phase, Run, Transition
from chaos.report import charts, panels, words
from chaos.report.charts import LEFT, RIGHT, WIDTH, Axis, Band, Segment
from chaos.report.curves import drawable
from chaos.report.markup import Markup, element, joined
from chaos.report.panels import Panel
from chaos.report.scales import time_scale

MAX_LANES: Final = 26
"""Faults, and breakers, that are drawn: one letter each. The tables below have the others."""

CLOSED: Final = "closed"
"""State of a breaker before its first change."""

_TONES: Final = ("closed", "half-open", "open")


def letters(run: Run) -> dict[int, str]:
    """The letter of each fault that is drawn, by its place in the run."""
    return {number: chr(ord("A") + number) for number in range(min(len(run.faults), MAX_LANES))}


def section(run: Run) -> Markup:
    """The whole timeline."""
    curves = {curve.name: drawable(curve) for curve in run.curves if curve.points}
    axis = _axis(run)
    measured = [panel for draw in panels.DRAWN if (panel := draw(axis, curves, run)) is not None]
    more = panels.others(axis, curves)
    states = [*_breakers(axis, run.breakers), *_alerts(axis, run.alerts)]
    shown = [*_course(axis, run), *measured, *states, *more]
    if not shown:
        return element(
            "p", "Nothing was measured: the run ended before any traffic.", class_="empty"
        )
    return joined(
        (
            element(
                "div",
                element("div", *(_figure(panel) for panel in shown), class_="sheet"),
                id="timeline-charts",
                class_="timeline",
                tabindex="0",
                role="group",
                aria_label="Charts over time. Left and right arrow keys read values at a moment.",
            ),
            element("output", id="readout", hidden=True),
            _data(axis, [*measured, *more]),
        )
    )


def _axis(run: Run) -> Axis:
    ends = [phase.end for phase in run.phases]
    ends += [fault.end if fault.end is not None else fault.start for fault in run.faults]
    ends += [at for curve in run.curves for at, _ in curve.points[-1:]]
    ends += [one.at for one in run.breakers]
    ends += [at for one in run.alerts for at in (one.fired_at, one.resolved_at) if at is not None]
    until = max((end for end in ends if math.isfinite(end)), default=1.0)
    time = time_scale(until, LEFT, WIDTH - RIGHT)
    bands = tuple(
        Band(letter, run.faults[number].start, _end(run.faults[number], time.high))
        for number, letter in letters(run).items()
    )
    return Axis(time, bands, tuple(phase.start for phase in run.phases[1:]))


def _end(fault: AppliedFault, until: float) -> float:
    """When a fault was over; what nobody ended goes on to the end."""
    if fault.end is not None:
        return fault.end
    return fault.start if fault.ended_by == "once" else until


def _course(axis: Axis, run: Run) -> list[Panel]:
    """Phases, and each fault with its letter."""
    rows: list[tuple[str, list[Segment]]] = []
    if run.phases:
        rows.append(("", [_stretch(number, phase) for number, phase in enumerate(run.phases)]))
    for number, letter in letters(run).items():
        fault = run.faults[number]
        met = "" if fault.met is None else f" · met {fault.met:,}"
        segment = Segment(fault.start, _end(fault, axis.time.high), "fault")
        rows.append((f"{letter}  {fault.words or fault.kind}{met}", [segment]))
    if not rows:
        return []
    told = [f"{one.name} {_span(one.start, one.end)}" for one in run.phases]
    told += [
        f"{one.words or one.kind} {_span(one.start, one.end)}" for one in run.faults[:MAX_LANES]
    ]
    svg = charts.lanes(
        Axis(axis.time, (), axis.edges),
        rows,
        name="course",
        title="Phases and faults",
        description="; ".join(told),
    )
    return [Panel("course", "Phases and faults", _left_out(len(run.faults), "fault"), svg)]


def _stretch(number: int, phase: Phase) -> Segment:
    return Segment(phase.start, phase.end, f"phase-{number % 2}", phase.name)


def _span(start: float, end: float | None) -> str:
    until = "on" if end is None else f"to {words.seconds(end)}"
    return f"from {words.seconds(start)} {until}"


def _left_out(many: int, what: str) -> Markup:
    if many <= MAX_LANES:
        return Markup("")
    return element("span", f"{MAX_LANES} of {words.count(many, what)} drawn", class_="note")


def _breakers(axis: Axis, transitions: Iterable[Transition]) -> list[Panel]:
    """One lane for each breaker that changed its state."""
    by_breaker: dict[tuple[str, str], list[Transition]] = {}
    for one in sorted(transitions, key=lambda one: one.at):
        by_breaker.setdefault((one.process, one.service), []).append(one)
    if not by_breaker:
        return []
    drawn = list(by_breaker.items())[:MAX_LANES]
    rows = [
        (f"{process} → {service}", _states(changes, axis.time.high))
        for (process, service), changes in drawn
    ]
    told = "; ".join(
        f"{process} to {service}: "
        + ", ".join(f"{one.state} at {words.seconds(one.at)}" for one in changes[:MAX_LANES])
        for (process, service), changes in drawn
    )
    svg = charts.lanes(axis, rows, name="breakers", title="Circuit breakers", description=told)
    states = [(f"segment segment-{tone} texture-{tone}", tone) for tone in _TONES]
    key = joined((panels.legend(states), _left_out(len(by_breaker), "breaker")))
    return [Panel("breakers", "Circuit breakers", key, svg)]


def _alerts(axis: Axis, alerts: Iterable[AlertSeen]) -> list[Panel]:
    """One lane for each alert of which people were told, from the first message to the last."""
    told = [(one, one.fired_at) for one in alerts if one.fired_at is not None]
    if not told:
        return []
    drawn = told[:MAX_LANES]
    rows = [
        (_alert(one), [Segment(at, one.resolved_at or axis.time.high, "open", "told")])
        for one, at in drawn
    ]
    said = "; ".join(f"{_alert(one)} {_span(at, one.resolved_at)}" for one, at in drawn)
    svg = charts.lanes(axis, rows, name="alerted", title="Alerts", description=said)
    looks = [("segment segment-open texture-open", "people are told, until its end is")]
    key = joined((panels.legend(looks), _left_out(len(told), "alert")))
    return [Panel("alerted", "Alerts", key, svg)]


def _alert(one: AlertSeen) -> str:
    of = f" · {one.service}" if one.service else ""
    return f"{one.name}{of}{f' in {one.channel}' if one.channel else ''}"


def _states(changes: Sequence[Transition], until: float) -> list[Segment]:
    """The states of one breaker, which was closed until it first changed."""
    starts = [0.0, *(one.at for one in changes)]
    states = [CLOSED, *(one.state for one in changes)]
    ends = [*starts[1:], until]
    return [
        Segment(start, end, _tone(state), state)
        for start, end, state in zip(starts, ends, states, strict=True)
        if end > start
    ]


def _tone(state: str) -> str:
    name = state.lower().replace("_", "-")
    return name if name in _TONES else "odd"


def _figure(panel: Panel) -> Markup:
    caption = element("figcaption", element("h3", panel.heading), panel.legend)
    return element("figure", caption, panel.svg)


def _data(axis: Axis, drawn: Sequence[Panel]) -> Markup:
    """What the read-out needs, as JSON that no text from outside can break out of."""
    told = {
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "width": WIDTH,
        "until": float(axis.time.high),
        "panels": [
            {
                "name": panel.name,
                "curves": [
                    {
                        "label": curve.label or curve.name,
                        "unit": curve.unit,
                        "points": [[_short(at), _short(value)] for at, value in curve.points],
                    }
                    for curve in panel.curves
                ],
            }
            for panel in drawn
        ],
    }
    text = msgspec.json.encode(told).decode()
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return element("script", Markup(text), id="timeline-data", type="application/json")


def _short(value: float | None) -> float | None:
    """Four digits are more than a read-out shows."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")
