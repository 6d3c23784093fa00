"""The pages in a real browser that reaches no other machine."""

import re
from pathlib import Path

import pytest

from chaos.report import write_reports
from chaos.report.campaign import write_campaign
from chaos.report.resilience_matrix import write_matrix
from tests.chaos.report import examples, matrices, pages
from tests.system import chromium

PROBE = """<script>
const charts = document.getElementById("timeline-charts");
const box = document.getElementById("latency").getBoundingClientRect();
const middle = {bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + 20};
document.getElementById("latency").dispatchEvent(new PointerEvent("pointermove", middle));
const first = document.getElementById("readout").textContent;
charts.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
const told = document.createElement("p");
told.id = "told";
told.textContent = first + " | " + document.getElementById("readout").textContent;
document.body.append(told);
</script>"""
"""Points at the middle of a chart and presses an arrow key, as a reader would."""


def test_the_shipped_page_has_no_probe(tmp_path: Path) -> None:
    """The probe below is added by the test alone."""
    assert "PointerEvent" not in write_reports(examples.deviated(), tmp_path).html.read_text()


async def test_a_report_opens_without_a_word_on_the_console(tmp_path: Path) -> None:
    """Scripts run, nothing is refused by the page's own policy, and pointing reads all curves at a moment."""
    path = write_reports(examples.deviated(), tmp_path).html
    path.write_text(path.read_text().replace("</body>", f"{PROBE}</body>"))

    opened = await chromium.opened(path.as_uri())

    assert opened.console == ()
    found = re.search(r'<p id="told">(.*?)</p>', opened.dom)
    assert found is not None
    first, after = found[1].split(" | ")
    assert re.match(r"at 2[0-9.]+ s", first)
    assert "p95" in first
    assert "fresh" in first
    assert float(after.split()[1]) == pytest.approx(float(first.split()[1]) + 1, abs=0.2)
    assert not re.search(r'<button[^>]*data-copies="replay"[^>]*hidden', opened.dom)


async def test_hostile_texts_run_nothing(tmp_path: Path) -> None:
    """With markup in every name, the browser finds the scripts that we wrote, and no other one."""
    path = write_reports(examples.hostile(), tmp_path).html
    opened = await chromium.opened(path.as_uri())
    assert opened.console == ()
    assert len(pages.read(opened.dom).all("script")) == len(
        pages.read(path.read_text()).all("script")
    )


async def test_index_and_matrix_open_silently(tmp_path: Path) -> None:
    """The other two pages write nothing to the console either."""
    runs = [(make(), tmp_path) for name, make in examples.ALL.items() if name != "huge"]
    index = write_campaign(runs, tmp_path).html
    write_matrix(matrices.matrix(), tmp_path / "matrix.html")
    for path in (index, tmp_path / "matrix.html"):
        assert (await chromium.opened(path.as_uri())).console == ()


async def test_the_console_is_really_heard(tmp_path: Path) -> None:
    """A page that fails is noticed: silence above is no accident."""
    page = tmp_path / "broken.html"
    page.write_text("<!DOCTYPE html><script>throw new Error('seen')</script>")
    assert any("seen" in line for line in (await chromium.opened(page.as_uri())).console)
