"""All scenarios of `run --all` on one page, with JSON and JUnit for tools."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from chaos.record import Figures, Run, Verdict
from chaos.report import words
from chaos.report.curves import GOODPUT, LATENCY_P95, drawable, shortened
from chaos.report.junit import junit
from chaos.report.markup import Markup, clipped, element, joined
from chaos.report.page import document, part, sign, table
from chaos.report.scales import latency_scale, time_scale, value_scale
from chaos.report.write import with_curves

FORMAT: Final = "baluarte-chaos-campaign"
VERSION: Final = 1

SPARK_WIDTH: Final = 150
SPARK_HEIGHT: Final = 30
SPARK_POINTS: Final = 120
"""A small multiple is read as a shape."""

_FAULTS: Final = "faults"
"""Name of the phase that is shaded."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One run of a campaign, for tools."""

    scenario: str
    id: str
    verdict: Verdict
    reason: str = ""
    mechanisms_off: tuple[str, ...] = ()
    held: int = 0
    not_held: int = 0
    not_judged: int = 0
    met: int | None = None
    """Requests, connections, messages or deaths that met the faults; None when nobody counted."""
    figures: Figures = Figures()
    report: str = ""
    """Of the run, relative to the campaign's folder."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """All of them."""

    format: str = FORMAT
    version: int = VERSION
    commit: str = ""
    started: str = ""
    verdicts: dict[str, int] = {}
    """How many of each."""
    runs: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignReports:
    """Where each report of a campaign is."""

    html: Path
    json: Path
    junit: Path


def write_campaign(runs: Sequence[tuple[Run, Path]], folder: Path) -> CampaignReports:
    """Write `index.html`, `campaign.json` and `junit.xml` for runs with their folders.

    Each run's own report is linked, not written.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reports = CampaignReports(folder / "index.html", folder / "campaign.json", folder / "junit.xml")
    entries = [entry(run, its, folder) for run, its in runs]
    whole = [with_curves(run, its) for run, its in runs]
    record = campaign([run for run, _ in runs], entries)
    reports.html.write_text(page(whole, entries), encoding="utf-8")
    reports.json.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2))
    reports.junit.write_bytes(junit([run for run, _ in runs]))
    return reports


def campaign(runs: Sequence[Run], entries: Sequence[Entry]) -> Campaign:
    """The record of them."""
    return Campaign(
        commit=next((run.commit for run in runs if run.commit), ""),
        started=min((run.started for run in runs if run.started), default=""),
        verdicts={
            verdict: many
            for verdict in Verdict
            if (many := sum(one.verdict is verdict for one in entries))
        },
        runs=tuple(entries),
    )


def entry(run: Run, its: Path, folder: Path) -> Entry:
    """A run in short; `its` is its folder."""
    counts = [fault.met for fault in run.faults if fault.met is not None]
    return Entry(
        scenario=run.scenario,
        id=run.id,
        verdict=run.verdict,
        reason=run.reason,
        mechanisms_off=run.mechanisms_off,
        held=sum(one.held is True for one in run.findings),
        not_held=sum(one.held is False for one in run.findings),
        not_judged=sum(one.held is None for one in run.findings),
        met=sum(counts) if counts else None,
        figures=run.figures,
        report=Path(os.path.relpath(its / "report.html", folder)).as_posix(),
    )


def page(runs: Sequence[Run], entries: Sequence[Entry]) -> str:
    """The index, what went wrong first."""
    both = sorted(zip(runs, entries, strict=True), key=lambda pair: _order(pair[1].verdict))
    bad = sum(one.verdict is not Verdict.PASSED for one in entries)
    tone = "good" if entries and not bad else "bad" if bad else "doubt"
    head = element(
        "header",
        element("p", "Chaos campaign", class_="kicker"),
        element("h1", words.count(len(entries), "scenario")),
        element(
            "div",
            element("p", sign(*_word(len(entries), bad), tone), class_="word"),
            element("p", _sentence(entries), class_="reason"),
            class_=f"verdict {tone}",
            role="status",
        ),
    )
    rows = [_row(run, one) for run, one in both]
    columns = (
        "verdict",
        "scenario",
        "held",
        "met",
        "available",
        "goodput",
        "mitigated",
        "recovered",
        "p95",
        "goodput over time",
    )
    runs_table = table("Scenarios, what went wrong first", columns, rows, numbers="..nnnnnn..")
    note = element(
        "p",
        "The small charts share no axis: each shows the shape of its own run, with the faults shaded.",
        class_="note",
    )
    return document("Chaos campaign", head, part("runs", "Scenarios", runs_table, note))


def _order(verdict: Verdict) -> int:
    """Deviated first, passed last."""
    if verdict is Verdict.PASSED:
        return len(Verdict)
    return 0 if verdict is Verdict.DEVIATED else list(Verdict).index(verdict)


def _word(many: int, bad: int) -> tuple[str, str]:
    if not many:
        return "?", "Nothing ran"
    return ("✕", f"{bad} of {many} not passed") if bad else ("✓", "All passed")


def _sentence(entries: Sequence[Entry]) -> str:
    told = [
        f"{many} {words.VERDICTS[verdict].word.lower()}"
        for verdict in Verdict
        if (many := sum(one.verdict is verdict for one in entries))
    ]
    return ", ".join(told) + "." if told else "No scenario was run."


def _row(run: Run, one: Entry) -> tuple[str, ...]:
    said = words.VERDICTS[one.verdict]
    of = one.figures
    name = element("a", run.title or one.scenario, href=quote(one.report, safe="/."))
    off = f" · off: {', '.join(one.mechanisms_off)}" if one.mechanisms_off else ""
    judged = one.held + one.not_held + one.not_judged
    return (
        sign(said.sign, said.word, said.tone),
        element("div", name, element("small", clipped(one.reason + off, 200))),
        f"{one.held}/{judged}" if judged else words.NOTHING,
        words.NOTHING if one.met is None else f"{one.met:,}",
        words.percent(of.availability),
        words.percent(of.goodput),
        words.seconds(of.time_to_mitigate),
        words.seconds(of.time_to_recover),
        spark(run, LATENCY_P95, "p95 latency"),
        spark(run, GOODPUT, "goodput"),
    )


def spark(run: Run, name: str, what: str) -> Markup:
    """A curve as a small chart without axes, faults shaded; nothing when the run has no such curve."""
    curve = next((drawable(one) for one in run.curves if one.name == name), None)
    values = [value for _, value in curve.points if value is not None] if curve else []
    if curve is None or not values:
        return Markup("")
    until = max([curve.points[-1][0], *(phase.end for phase in run.phases)])
    time = time_scale(until, 0, SPARK_WIDTH)
    make = latency_scale if curve.unit == "s" else value_scale
    scale = make(values, SPARK_HEIGHT - 1, 2)
    shades = [
        _shade(time(phase.start), time(phase.end)) for phase in run.phases if phase.name == _FAULTS
    ]
    path, gap = "", True
    for at, value in shortened(curve, SPARK_POINTS).points:
        if value is not None:
            path += f"{'M' if gap else 'L'}{time(at):.1f} {scale(value):.1f}"
        gap = value is None
    low, high = (words.quantity(value, curve.unit) for value in (min(values), max(values)))
    told = f"{what} of {run.scenario}: from {low} to {high}"
    chart = element(
        "svg",
        element("title", told),
        *shades,
        element("path", class_=f"line line-{name}", d=path),
        class_="spark",
        viewBox=f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}",
        role="img",
        aria_label=told,
        xmlns="http://www.w3.org/2000/svg",
    )
    return joined((chart, element("small", f"up to {high}")))


def _shade(start: float, end: float) -> Markup:
    return element("rect", class_="band", x=start, y=0, width=end - start, height=SPARK_HEIGHT)
