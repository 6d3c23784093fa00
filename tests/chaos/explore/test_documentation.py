"""The section on exploration in `docs/chaos.md` says what the code does."""

import re
import shlex
from collections import Counter
from pathlib import Path

import click
import pytest

from baluarte.chaos_explore import explore
from chaos.explore import committed
from chaos.explore.kinds import DOWN, KINDS
from chaos.explore.laboratory import TRIES
from chaos.explore.operations import OPERATIONS
from chaos.record import EXIT_CODES, Verdict
from tests.chaos.explore.paper_bank import MUTANTS

PAGE = (Path(__file__).parents[3] / "docs" / "chaos.md").read_text()
SECTION = PAGE[PAGE.index("\n## Exploration\n") :].split("\n## ", 2)[1]
COMMANDS = re.findall(r"^baluarte chaos explore(.*)$", SECTION, re.MULTILINE)


def test_the_table_of_kinds_is_the_code() -> None:
    """Every kind stands there with what its caller learns and whether the work is done."""
    rows = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \|([^|]*)\| (yes|no) \|$", SECTION, re.MULTILINE)
    expected = [(kind.name, kind.learned, "yes" if kind.done else "no") for kind in KINDS.values()]
    assert [(name, learned.strip(), done) for name, learned, done in rows] == [
        *expected,
        (DOWN, "", "no"),
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_option_of_the_page_exists(line: str) -> None:
    """The commands of the page are understood."""
    options = {o for it in explore.params if isinstance(it, click.Option) for o in it.opts}
    assert {word for word in shlex.split(line) if word.startswith("--")} <= options


def test_the_exit_codes_are_those_of_the_page() -> None:
    """Each code that an exploration can end with is explained."""
    verdicts = (
        Verdict.PASSED,
        Verdict.DEVIATED,
        Verdict.BASELINE_NOT_MET,
        Verdict.PROBE_ERROR,
        Verdict.INCONCLUSIVE,
    )
    listed = re.findall(r"^\| (\d+) \|", SECTION, re.MULTILINE)
    assert sorted(map(int, listed)) == sorted(EXIT_CODES[verdict] for verdict in verdicts)


def test_the_numbers_of_the_page_are_the_code_s() -> None:
    """Tries and mutants are as many as the page says."""
    assert COMMANDS
    assert TRIES == 4
    assert "four times\nat most" in SECTION
    assert len(MUTANTS) == 13
    assert "thirteen broken promises" in SECTION


def test_the_figures_of_the_page_are_the_committed_matrix_s() -> None:
    """Rows, columns, cells, and how many of each outcome; all as declared."""
    matrix = committed.read(committed.FILE)
    outcomes = Counter(cell.outcome.value for cell in matrix.cells)
    told = re.findall(r"^\| ([a-z]+) \| (\d+) \|$", SECTION, re.MULTILINE)
    assert {name: int(count) for name, count in told} == outcomes
    assert f"It has {len(matrix.rows)} rows" in SECTION
    assert f"\n{len(matrix.columns)} columns" in SECTION
    assert f"and {len(matrix.cells)} cells, all as declared" in SECTION
    assert all(cell.as_declared for cell in matrix.cells)
    assert {row.operation.partition(",")[0] for row in matrix.rows} == set(OPERATIONS)
