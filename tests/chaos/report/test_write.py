"""What is written into a run's folder."""

from pathlib import Path

import msgspec

from chaos.record import Run
from chaos.report import write_reports
from tests.chaos.report import examples, weather


def without_curves(run: Run) -> Run:
    return msgspec.structs.replace(run, curves=())


def test_the_reports_lie_beside_the_record(tmp_path: Path) -> None:
    """Page, JUnit and journal are written; the record itself is not touched."""
    reports = write_reports(examples.passed(), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "report.html",
        "junit.xml",
        "journal.json",
    }
    for path in (reports.html, reports.junit, reports.journal):
        assert path.stat().st_size > 0


def test_curves_come_from_the_samples_when_the_record_has_none(tmp_path: Path) -> None:
    """The same charts are drawn from `samples.jsonl`."""
    lines = (msgspec.json.encode(one) + b"\n" for one in weather.samples())
    (tmp_path / "samples.jsonl").write_bytes(b"".join(lines))
    drawn = write_reports(without_curves(examples.passed()), tmp_path).html.read_text()
    assert drawn == write_reports(examples.passed(), tmp_path).html.read_text()


def test_a_folder_without_samples_gives_a_page_without_charts(tmp_path: Path) -> None:
    """What cannot be drawn takes nothing else from the reader."""
    html = write_reports(without_curves(examples.passed()), tmp_path).html.read_text()
    assert 'id="latency"' not in html
    assert 'id="course"' in html
    (tmp_path / "samples.jsonl").write_text('{"nonsense": true}\n')
    assert write_reports(without_curves(examples.passed()), tmp_path).html.read_text() == html


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    """Reports compare: nothing in them depends on the clock or on the order of sets."""
    first = write_reports(examples.deviated(), tmp_path / "a")
    second = write_reports(examples.deviated(), tmp_path / "b")
    for one, other in (
        (first.html, second.html),
        (first.junit, second.junit),
        (first.journal, second.journal),
    ):
        assert one.read_bytes() == other.read_bytes()


def test_a_record_read_back_gives_the_same_page(tmp_path: Path) -> None:
    """`baluarte chaos report` on an old folder draws what was drawn then."""
    run = examples.deviated()
    again = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    assert (
        write_reports(run, tmp_path / "a").html.read_bytes()
        == write_reports(again, tmp_path / "b").html.read_bytes()
    )
