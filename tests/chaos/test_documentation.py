"""docs/chaos.md on scenarios agrees with the code."""

import re
from pathlib import Path

from click import Group

from baluarte.cli import main
from chaos.engine.verdict import conclude
from chaos.expectations import REGISTRY
from chaos.proxy.toxics import REGISTRY as TOXICS
from chaos.record import EXIT_CODES, Verdict
from chaos.scenarios import parse
from chaos.scenarios.faults import edge, part, process

PAGE = (Path(__file__).parents[2] / "docs" / "chaos.md").read_text()
SECTION = PAGE[PAGE.index("## Scenarios") : PAGE.index("## The fault proxy")]


def test_the_example_is_a_scenario() -> None:
    """The loader understands it as it stands."""
    (example,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.S)

    assert parse(example, "example.yaml").title == "Users are slow"


def test_every_command_exists() -> None:
    """With every option that the page shows."""
    chaos = main.commands["chaos"]
    assert isinstance(chaos, Group)
    shown = re.findall(r"^\$ baluarte chaos (\S+)(.*?)(?:#.*)?$", SECTION, re.M)
    assert {name for name, _ in shown} >= {"list", "show", "plan", "run", "replay", "report"}
    for name, rest in shown:
        known = {option for one in chaos.commands[name].params for option in one.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, name


def test_every_expectation_and_fault_is_in_a_table() -> None:
    """By the name that a scenario writes."""
    for name in (*REGISTRY, *process.OWNED.types, *part.OWNED.types, edge.DOWN):
        assert re.search(rf"`{name}[:` ]", SECTION), name
    assert TOXICS
    assert "the toxics" in SECTION


def test_verdicts_stand_with_their_exit_codes() -> None:
    """Each row is one of the record's."""
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", SECTION, re.M)

    assert {Verdict(name): int(code) for code, name in rows} == EXIT_CODES
    order = list(dict.fromkeys(Verdict(name) for _, name in rows))
    assert order[0] is Verdict.ERROR
    assert order[-1] is Verdict.PASSED
    assert conclude.__doc__
