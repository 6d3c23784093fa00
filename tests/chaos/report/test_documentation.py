"""`docs/chaos.md` says what the report does."""

import re
from pathlib import Path

import msgspec
import pytest

from chaos import statistics
from chaos.report.curves import MAX_POINTS
from chaos.report.page import MAX_ROWS
from scripts import pictures
from tests.chaos.report import examples

DOCS = Path(__file__).parents[3] / "docs"
SECTION = (DOCS / "chaos.md").read_text().split("\n## The report\n")[1].split("\n## ")[0]


def test_the_bounds_are_those_of_the_page() -> None:
    """The numbers in the section are the constants."""
    assert f"{MAX_POINTS} points a curve" in SECTION
    assert f"Tables end at {MAX_ROWS} rows" in SECTION


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_the_pictures_are_there_and_small(name: str) -> None:
    """Each picture that the script draws is committed, linked from the section, and below the bound."""
    picture = DOCS / "pictures" / f"{name}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < pictures.MAX_BYTES
    assert f"(pictures/{name}.png)" in SECTION


def test_the_smallest_effects_are_those_of_the_page() -> None:
    """The numbers about cohorts are the constants."""
    assert f"p is at most {statistics.ALPHA}" in SECTION
    assert f"{statistics.MINIMUM_SHARE * 100:g}\npoints of availability" in SECTION
    assert f"in {50 + statistics.MINIMUM_SUPERIORITY * 100:g} of 100 pairs" in SECTION


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The section's Python writes the reports of the folder that it names."""
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    folder = tmp_path / "runs" / "20260114-091502-users-slow"
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(msgspec.json.encode(examples.passed()))
    monkeypatch.chdir(tmp_path)

    exec(compile(code, "docs/chaos.md", "exec"), {})

    assert (folder / "report.html").is_file()
    assert "PASSED" in capsys.readouterr().out
