"""All scenarios on one page."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from chaos.record import Run, Verdict
from chaos.report.campaign import Campaign, CampaignReports, write_campaign
from tests.chaos.report import examples, pages

MAKERS = ("passed", "deviated", "aborted", "inconclusive", "empty")


@pytest.fixture
def written(tmp_path: Path) -> CampaignReports:
    runs = [(examples.ALL[name](), tmp_path / "runs" / name) for name in MAKERS]
    return write_campaign(runs, tmp_path / "all")


def test_the_page_links_each_report_what_went_wrong_first(written: CampaignReports) -> None:
    """One row for each run: deviated ones at the top, passed ones at the bottom."""
    found = pages.read(written.html.read_text())
    links = [link["href"] for link in found.all("a")]
    assert links[0] == "../runs/deviated/report.html"
    assert links[-1] == "../runs/passed/report.html"
    assert len(links) == len(MAKERS)
    assert "4 of 5 not passed" in found.text
    assert not found.unclosed


def test_each_run_that_was_measured_has_its_small_charts(written: CampaignReports) -> None:
    """Latency and goodput are drawn, with what they show in words, and nothing for a run without traffic."""
    html = written.html.read_text()
    charts = [ET.fromstring(svg) for svg in re.findall(r'<svg[^>]*class="spark".*?</svg>', html)]
    assert len(charts) == 2 * (len(MAKERS) - 1)
    assert all(chart.get("aria-label") for chart in charts)


def test_the_record_counts_the_verdicts(written: CampaignReports) -> None:
    """Tools find each run with its verdict, its counts and its report."""
    record = msgspec.json.decode(written.json.read_bytes(), type=Campaign)
    assert sum(record.verdicts.values()) == len(record.runs) == len(MAKERS)
    deviated = next(one for one in record.runs if one.verdict is Verdict.DEVIATED)
    assert (deviated.held, deviated.not_held, deviated.not_judged) == (6, 2, 1)
    assert deviated.met == 215
    assert deviated.report == "../runs/deviated/report.html"


def test_junit_has_a_suite_for_each_run(written: CampaignReports) -> None:
    """CI shows the campaign as suites, none of which is lost."""
    root = ET.parse(written.junit).getroot()
    assert [suite.get("name") for suite in root] == [
        examples.ALL[name]().scenario for name in MAKERS
    ]


@pytest.mark.parametrize(
    ("runs", "told"),
    [([], "Nothing ran"), ([examples.passed()], "All passed")],
    ids=["none", "good"],
)
def test_good_news_needs_a_run(runs: list[Run], told: str, tmp_path: Path) -> None:
    """A campaign without a run is not called passed."""
    reports = write_campaign([(run, tmp_path) for run in runs], tmp_path)
    assert told in pages.read(reports.html.read_text()).text


def test_hostile_names_stay_texts(tmp_path: Path) -> None:
    """A scenario's name cannot become markup on the index either."""
    run = examples.hostile()
    html = write_campaign([(run, tmp_path / "javascript:x")], tmp_path).html.read_text()
    found = pages.read(html)
    assert [link["href"] for link in found.all("a")] == ["javascript%3Ax/report.html"]
    assert len(found.all("script")) == 1
    assert '<script>alert("x")</script>' in found.text
