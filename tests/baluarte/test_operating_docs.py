"""The operator's page says what the code does."""

import re

import click
import pytest

from baluarte.cli import main
from tests.servers import HOUSES

PAGE = (HOUSES / "docs" / "operating.md").read_text()


def code_of(*houses: str) -> str:
    return "\n".join(
        path.read_text() for house in houses for path in sorted((HOUSES / house).rglob("*.py"))
    )


def test_every_setting_is_explained() -> None:
    """A setting that a process reads and the page does not name cannot be found by an operator."""
    read = set(
        re.findall(r'"(BALUARTE_[A-Z_]+[A-Z])"', code_of("chassis", "services", "graphql_api"))
    )
    read |= set(re.findall(r'"(BALUARTE_[A-Z_]+[A-Z])"', code_of("baluarte")))
    read -= {"BALUARTE_BUS_DATABASE_URL"}  # named as `…_BUS_…`
    assert sorted(name for name in read if name not in PAGE) == []


def test_every_code_in_the_table_exists() -> None:
    """No way out for a problem that nobody has."""
    listed = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE)) - {"DEBUG", "CREATEDB"}
    codes = {code for code in listed if not code.startswith("BALUARTE_")}
    assert codes
    assert sorted(code for code in codes if f'"{code}"' not in code_of("baluarte")) == []


@pytest.mark.parametrize("name", ["up", "status", "logs"])
def test_every_option_of_the_page_exists(name: str) -> None:
    """And each option of `up` is explained."""
    command = main.commands[name]
    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
    shown = set()
    for line in re.findall(rf"baluarte {name}((?: .*)?)$", PAGE, re.MULTILINE):
        shown |= set(re.findall(r"(?<!\S)(--[a-z-]+)", line.partition("#")[0]))
    assert shown <= options
    if name == "up":
        assert {"--port", "--replicas", "--fresh", "--state-dir"} <= options
        assert all(f"`{option}" in PAGE for option in options - {"--demo"})
