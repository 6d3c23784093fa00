"""What the pages say of edges, faults by hand and the kill switch is what there is."""

import ast
import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from baluarte.chaos_commands import chaos
from baluarte.supervisor.edges import DEFAULT_LEASE_SECONDS, PORTS
from baluarte.supervisor.plan import DEFAULT_PORTS
from chaos.owners.switch import HEAD_START, SECONDS
from chaos.proxy.toxics import REGISTRY as TOXICS
from chaos.roster import FILE
from chassis.faults.effects import REGISTRY as EFFECTS
from services.users import contract
from tests.chaos.owners.grounds import roster_of, some_proxies
from tests.servers import HOUSES

CHAOS = (HOUSES / "docs" / "chaos.md").read_text()
PAGES = CHAOS + (HOUSES / "docs" / "operating.md").read_text()
OURS = {"toxic", "down", "inject", "faults", "stop", "kill", "pause", "hold", "slow-start"}


def lines() -> list[list[str]]:
    found = re.findall(r"^\$ baluarte chaos ([^#\n]+)", PAGES, re.MULTILINE)
    return [words for words in map(shlex.split, found) if words[0] in OURS]


def test_every_command_of_the_pages_is_understood() -> None:
    """With its arguments and options; each command has an example."""
    shown = lines()
    assert {words[0] for words in shown} == OURS
    for name, *arguments in shown:
        context = chaos.commands[name].make_context(name, arguments)
        assert isinstance(context, click.Context)


def test_the_faults_of_the_pages_exist() -> None:
    """Their types, their attributes, and the paths that they are for."""
    paths = [operation.path for operation in contract.OPERATIONS]
    for name, *arguments in lines():
        if name not in {"toxic", "inject"}:
            continue
        given: dict[str, Any] = chaos.commands[name].make_context(name, list(arguments)).params
        kind = TOXICS[given["toxic"]] if name == "toxic" else EFFECTS[given["effect"]]
        assert set(given["attributes"]) <= set(kind.__struct_fields__)
        if given.get("route"):
            assert any(path.startswith(given["route"].rstrip("*")) for path in paths)


def test_the_numbers_of_the_section_are_the_codes() -> None:
    """Ports, lease and the switch's time."""
    assert f"from {PORTS.start} to {PORTS.stop - 1}" in CHAOS
    assert f"`BALUARTE_PROXIES_PORT` ({DEFAULT_PORTS['proxies']})" in CHAOS
    assert f"`--default-lease {DEFAULT_LEASE_SECONDS}`" in CHAOS
    assert f"each within {SECONDS:g} s" in CHAOS
    assert HEAD_START == 0.5, "half a second, the page says"


async def test_the_sections_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands there, over the proxies of a roster; it shows how many met the toxic."""
    blocks = re.findall(r"```python\n(.*?)```", CHAOS, re.DOTALL)
    (example,) = (block for block in blocks if "chaos.owners" in block)
    code = compile(example, "docs/chaos.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    (tmp_path / ".baluarte").mkdir()
    monkeypatch.chdir(tmp_path)
    async with some_proxies() as url:
        content = msgspec.json.encode(roster_of(proxies=url))
        (tmp_path / ".baluarte" / FILE).write_bytes(content)
        running = eval(code, {})
        assert inspect.isawaitable(running)
        await running
    assert capsys.readouterr().out == "0\n"
