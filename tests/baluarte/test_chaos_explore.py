"""`baluarte chaos explore`, as far as it goes without a platform."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from baluarte.cli import main
from chaos.roster import FILE, Roster


def explore(*options: str, state: Path) -> Result:
    return CliRunner().invoke(main, ["chaos", "explore", "--state-dir", str(state), *options])


def test_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    """A name that the schema does not have is wrong usage, told before anything starts."""
    result = explore("--operation", "mee", state=tmp_path)
    assert result.exit_code == 2
    assert "no root field is called mee" in result.output


@pytest.mark.parametrize("part", [["--quick"], ["--operation", "me"], ["--exhaustive"]])
def test_only_a_whole_run_can_be_committed(tmp_path: Path, part: list[str]) -> None:
    """A part of the matrix never replaces the whole."""
    result = explore("--write", *part, state=tmp_path)
    assert result.exit_code == 2
    assert "--write takes a whole run" in result.output


def test_without_a_platform_the_way_out_is_told(tmp_path: Path) -> None:
    """Where nothing runs with --chaos, the error says what to type."""
    result = explore(state=tmp_path)
    assert result.exit_code == 1
    assert "CHAOS_OFF" in result.output
    assert "--up" in result.output


def test_production_is_refused(tmp_path: Path) -> None:
    """An exploration breaks everything on purpose, which production is not for."""
    roster = Roster(
        gateway="http://x", supervisor_token="a", chaos_token="b", owners=(), production=True
    )
    (tmp_path / FILE).write_bytes(msgspec.json.encode(roster))
    result = explore(state=tmp_path)
    assert result.exit_code == 1
    assert "CHAOS_IN_PRODUCTION" in result.output


def test_a_broken_counterexample_is_told(tmp_path: Path) -> None:
    """What cannot be replayed is refused before a platform is looked for."""
    path = tmp_path / "x.json"
    path.write_text("{}")
    result = explore("--replay", str(path), state=tmp_path)
    assert result.exit_code == 1
    assert "COUNTEREXAMPLE_INVALID" in result.output
