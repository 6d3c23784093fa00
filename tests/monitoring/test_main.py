"""`python -m monitoring` writes what is committed, or the same with other links."""

from pathlib import Path

import pytest

from monitoring import __main__ as program
from monitoring import files


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder to write to; the page of docs stays as it is."""
    monkeypatch.setattr(files, "HOUSE", tmp_path)
    monkeypatch.setattr(files, "DOCS_PAGE", tmp_path / "no-page.md")
    return tmp_path


def test_it_writes_every_file(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, beside their source, and nothing else."""
    monkeypatch.setattr("sys.argv", ["monitoring"])
    program.main()

    written = {path for path in house.rglob("*") if path.is_file()}
    assert written == set(files.files())
    assert len(written) > 12


def test_links_are_told_on_the_command_line(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps runbooks or Grafana elsewhere says so once, with a slash at the end or without."""
    asked = ["--runbooks", "https://wiki.example/books/", "--grafana", "https://grafana.example"]
    monkeypatch.setattr("sys.argv", ["monitoring", *asked])
    program.main()

    rules = (house / "prometheus" / "rules" / "invariants.yaml").read_text()
    assert "runbook_url: https://wiki.example/books/LedgerImbalance.md" in rules
    assert "dashboard_url: https://grafana.example/d/" in rules
