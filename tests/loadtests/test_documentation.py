"""`docs/load.md` says what the load does."""

import re
import shlex
from pathlib import Path

import click
import pytest

from chaos.record import Outcome
from loadtests import limits
from loadtests.__main__ import main
from loadtests.journeys import JOURNEYS
from loadtests.shapes import SHAPES

PAGE = (Path(__file__).parents[2] / "docs" / "load.md").read_text()
COMMANDS = re.findall(r"^python -m loadtests (.+)$", PAGE, re.MULTILINE)


def rows(title: str) -> list[tuple[str, str]]:
    """The rows of the table whose first column is called `title`."""
    table = re.search(rf"^\| {title} \|.*\n\|.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    return re.findall(r"^\| `([^`]+)` \| (.+) \|$", table[1], re.MULTILINE)


def test_the_tables_are_the_registries() -> None:
    """Every journey, shape and outcome stands in the page, in order and with its own words."""
    assert rows("journey") == [(name, journey.text) for name, journey in JOURNEYS.items()]
    assert rows("shape") == [(name, shape.text) for name, shape in SHAPES.items()]
    assert [name for name, _ in rows("outcome")] == list(Outcome)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_page_are_understood(line: str) -> None:
    """Every option that the page shows exists."""
    name, *arguments = shlex.split(line)
    context = main.commands[name].make_context(name, arguments)
    assert isinstance(context, click.Context)


def test_the_bounds_are_those_of_the_page() -> None:
    """The numbers in the page are the load's."""
    assert f"up to {limits.DRAIN_SECONDS:.0f} s, and {limits.CLIENT_SECONDS:.0f} s more" in PAGE
    assert f"(up to {limits.RESOLVE_SECONDS:.0f} s)" in PAGE
    assert f"{limits.SEND_ATTEMPTS} times at most; who is told to wait" in PAGE
    assert f"more than {limits.MAX_PAUSE:.0f} s gives up" in PAGE
    assert f"{limits.LOOK_UPS} times at most; the rest" in PAGE
    assert f"for {limits.REFRESH_GRACE_SECONDS:.0f} s, else by signing in" in PAGE
    assert limits.BACKLOG_SECONDS == 10  # "Ten seconds' worth"
    assert f"({limits.MIN_BACKLOG} at least)" in PAGE
