"""`docs/proof-of-money.md` says what the code does."""

import re
import shlex
from pathlib import Path

import click
import pytest

from chaos.history.__main__ import main
from chaos.history.checker import EXIT_CODES
from chaos.history.checks import REGISTRY
from chaos.history.verdict import Verdict

PAGE = (Path(__file__).parents[3] / "docs" / "proof-of-money.md").read_text()
COMMANDS = re.findall(r"^python -m chaos\.history (.+)$", PAGE, re.MULTILINE)


def test_the_table_of_laws_is_the_registry() -> None:
    """Each check stands in the page with its number, name and law, in order."""
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)

    assert rows == [(str(c.number), c.name, c.law) for c in REGISTRY.values()]


def test_the_exit_codes_are_those_of_the_page() -> None:
    """A pipeline may rely on them."""
    assert "0 valid · 1 violated · 2 unknown" in PAGE
    assert EXIT_CODES == {Verdict.VALID: 0, Verdict.VIOLATED: 1, Verdict.UNKNOWN: 2}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_are_understood(command: str) -> None:
    """Every subcommand and option that the page shows exists."""
    name, *arguments = shlex.split(command)
    subcommand = main.commands[name]

    context = subcommand.make_context(name, arguments)

    assert isinstance(context, click.Context)
    assert context.params["history"] == Path("run.jsonl")


def test_there_are_commands_to_try() -> None:
    """The page is not without an example."""
    assert len(COMMANDS) >= 4
