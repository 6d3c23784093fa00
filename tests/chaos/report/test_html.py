"""A run's page: whole, closed to the outside, safe, readable, bounded."""

import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree as ET

import msgspec
import pytest

from chaos.record import AlertSeen, Curve, Run, Verdict
from chaos.report import words
from chaos.report.html import page
from tests.chaos.report import examples, pages

MOST = 2_000_000
"""Bytes of a page that people send to each other."""

every_run = pytest.mark.parametrize("make", examples.ALL.values(), ids=examples.ALL.keys())


def svgs(html: str) -> list[ET.Element]:
    """The charts, read as XML."""
    return [ET.fromstring(text) for text in re.findall(r"<svg\b[^>]*>.*?</svg>", html, re.DOTALL)]


@every_run
def test_a_page_reaches_for_nothing_outside(make: Callable[[], Run]) -> None:
    """No element names another file or host, and the page forbids the browser to ask for any."""
    html = page(make())
    found = pages.read(html)
    for _, attributes in found.tags:
        assert "src" not in attributes
        href = attributes.get("href")
        assert href is None or href.startswith("#")
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in found.tags}
    assert not re.search(r"@import|url\((?!#)", html)
    policies = [meta["content"] for meta in found.all("meta") if "http-equiv" in meta]
    assert [(policy or "").split(";")[0] for policy in policies] == ["default-src 'none'"]


@every_run
def test_a_page_is_well_formed(make: Callable[[], Run]) -> None:
    """Elements close in order, ids are unique, inner links lead somewhere, and each SVG is XML by itself."""
    html = page(make())
    found = pages.read(html)
    assert not found.unclosed
    assert len(found.ids) == len(set(found.ids))
    assert {(link["href"] or "")[1:] for link in found.all("a")} <= set(found.ids)
    assert svgs(html)


@every_run
def test_the_verdict_comes_first(make: Callable[[], Run]) -> None:
    """The word of the verdict and its reason stand before any section."""
    run = make()
    html = page(run)
    head = pages.read(html[: html.index("<section")]).text
    assert words.VERDICTS[run.verdict].word in head
    assert run.reason.replace("\x00", "�").replace("\x1b", "�") in head
    assert len(pages.read(html).all("h1")) == 1


def test_texts_from_outside_stay_texts() -> None:
    """No name becomes an element, an attribute or a script, and all of them can still be read."""
    calm, hostile = pages.read(page(examples.deviated())), pages.read(page(examples.hostile()))
    calm_tags, hostile_tags = {tag for tag, _ in calm.tags}, {tag for tag, _ in hostile.tags}
    assert hostile_tags <= calm_tags
    assert len(hostile.all("script")) == len(calm.all("script"))
    assert not any("alert(" in script and "<" in script for script in hostile.scripts)
    for _, attributes in hostile.tags:
        assert not {name for name in attributes if name.startswith("on")}
    assert hostile.text.count('<script>alert("x")</script>') > 20


def test_the_read_outs_data_survive_hostile_names() -> None:
    """What the script reads is JSON that no name can end early."""
    html = page(examples.hostile())
    inside = re.search(
        r'<script id="timeline-data" type="application/json">(.*?)</script>', html, re.DOTALL
    )
    assert inside is not None
    data = msgspec.json.decode(inside[1])
    labels = {curve["label"] for panel in data["panels"] for curve in panel["curves"]}
    assert examples.HOSTILE in labels


@every_run
def test_a_page_is_small_enough_to_send(make: Callable[[], Run]) -> None:
    """However long the run and its lists, the page stays under two megabytes."""
    assert len(page(make()).encode()) < MOST


def test_what_is_cut_is_said() -> None:
    """Rows, lines, faults and lanes beyond the bounds are counted, with where to find them."""
    text = pages.read(page(examples.huge())).text
    assert "more rows are in run.json" in text
    assert "2,700 more lines are in run.json" in text
    assert "26 of 40 faults drawn" in text


def test_tables_and_charts_speak_without_eyes() -> None:
    """Tables have captions and scoped heads with words; charts have titles and say their values."""
    html = page(examples.deviated())
    found = pages.read(html)
    heads = found.all("th")
    assert heads
    assert all(head["scope"] == "col" for head in heads)
    assert len(found.all("caption")) == len(found.all("table"))
    assert '<th scope="col"></th>' not in html
    charts = [svg for svg in svgs(html) if svg.get("role") == "img"]
    assert len(charts) == 8
    name = "{http://www.w3.org/2000/svg}"
    for chart in charts:
        title, told = chart.find(f"{name}title"), chart.find(f"{name}desc")
        assert title is not None
        assert told is not None
        assert title.text
        assert told.text
        assert chart.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"


def test_levels_of_headings_are_not_skipped() -> None:
    """Headings go one level down at a time."""
    found = pages.read(page(examples.deviated()))
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_did_not_hold_stands_first() -> None:
    """Findings are ordered: not held, unknown, held; each has a word and its line in the scenario."""
    html = page(examples.deviated())
    section = html[html.index('id="findings"') :]
    section = section[: section.index("</section>")]
    marks = re.findall(r"</span> (not held|unknown|held)</span>", section)
    assert marks == ["not held"] * 2 + ["unknown"] + ["held"] * 6
    assert 'href="#line-14"' in section
    assert "availability: 80 %" in html[html.index('id="line-14"') :][:80]


def test_every_part_of_a_run_is_shown() -> None:
    """Each list of the record has its section, and the facts to run it again are there."""
    run = examples.deviated()
    found = pages.read(page(run))
    sections = (
        "figures",
        "findings",
        "timeline",
        "faults",
        "clients",
        "invariants",
        "alerts",
        "facts",
        "log",
        "source",
    )
    assert [name for name in found.ids if name in sections] == list(sections)
    for wanted in (
        run.commit,
        str(run.seed),
        run.command,
        run.started,
        "postgres",
        "gateway.users.fallback",
    ):
        assert wanted in found.text
    for law in run.invariants:
        assert law.name in found.text
    assert "61.7 %" in found.text


def test_a_run_without_anything_still_explains_itself() -> None:
    """An error before any traffic gives a page that says what was not measured, and draws no empty axes."""
    found = pages.read(page(examples.empty()))
    assert "The platform could not be reached" in found.text
    assert "Nothing was measured" in found.text
    assert not [its for its in found.all("svg") if its.get("role") == "img"]


def test_gaps_are_gaps() -> None:
    """Where nobody asked, the line of latency is interrupted and not drawn at zero."""
    html = page(examples.inconclusive())
    paths = re.findall(r'<path class="line line-latency_p95" d="([^"]*)"', html)
    assert len(paths) == 1
    assert paths[0].count("M") == 2


def test_faults_are_shaded_on_every_chart() -> None:
    """Each chart carries the band of each fault with its letter; one that is over at once is a line."""
    html = page(examples.deviated())
    for name in ("latency", "rates", "stale-share", "stale-age", "goodput"):
        chart = re.search(rf'<svg id="{name}".*?</svg>', html, re.DOTALL)
        assert chart is not None
        assert re.findall(r'class="band-letter"[^>]*>(\w)<', chart[0]) == ["A", "B", "C"]
        widths = [
            float(width) for width in re.findall(r'class="band"[^>]* width="([\d.]+)"', chart[0])
        ]
        assert widths[1] < 2 < widths[2] < widths[0]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_its_words(verdict: Verdict) -> None:
    """A run without a reason says what its verdict means."""
    run = msgspec.structs.replace(examples.empty(), verdict=verdict, reason="")
    text = pages.read(page(run)).text
    assert words.VERDICTS[verdict].word in text
    assert words.VERDICTS[verdict].means in text


def test_a_curve_that_nobody_knows_is_drawn_by_its_unit() -> None:
    """What the engine measures besides gets a chart with its label, unit and peak."""
    points = ((0.0, 1.0), (1.0, None), (2.0, 12.0))
    backlog = Curve(name="outbox", unit="messages", label="outbox of the ledger", points=points)
    run = msgspec.structs.replace(examples.empty(), curves=(backlog,))
    text = pages.read(page(run)).text
    assert "Also measured, in messages" in text
    assert "outbox of the ledger: from 1 messages to 12 messages, highest at 2 s" in text


def test_values_that_are_no_numbers_break_nothing() -> None:
    """Infinity and not-a-number are left out of charts and read-outs."""
    points = ((0.0, float("nan")), (1.0, float("inf")), (2.0, 0.5))
    curve = Curve(name="latency_p50", unit="s", points=points)
    html = page(msgspec.structs.replace(examples.empty(), curves=(curve,)))
    assert not re.search(r'd="[^"]*(nan|inf)', html)
    assert svgs(html)


def test_an_alert_is_drawn_and_told() -> None:
    """When people were told and until when, the message, and the time to detect at both paces."""
    html = page(examples.deviated())

    assert 'id="alerted"' in html
    assert "BreakerOpen · users in #baluarte-gameday from 24 s to 44.5 s" in html
    assert "[WARN · game day] BreakerOpen · users" in html
    assert "at production&#x27;s pace" in html or "at production's pace" in html


def test_contracts_that_nobody_judged_say_why() -> None:
    """They are listed as unknown, with the way out, and are not drawn."""
    unwatched = AlertSeen(name="ServiceDown", wanted="told", measured="not judged: no watch")
    html = page(msgspec.structs.replace(examples.deviated(), alerts=(unwatched,)))

    assert "not judged: no watch" in html
    assert 'id="alerted"' not in html
