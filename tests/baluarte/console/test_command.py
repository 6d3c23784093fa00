"""`baluarte console`, and where there is none."""

import asyncio
import subprocess
import sys
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner, Result

from baluarte.cli import main
from baluarte.errors import BaluarteError
from baluarte.supervisor import occupancy
from baluarte.supervisor.plan import Options, Plan, make_plan
from tests.baluarte.console.grounds import Ground, Visitor, ground


def command(state: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["console", "--state-dir", str(state), *options])


def plan(tmp_path: Path, **environ: str) -> Plan:
    return make_plan(Options(tmp_path / "state"), environ, port_is_free=lambda _: True)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path / "state") as running:
        yield running


async def test_the_link_signs_in_once(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a ticket in its fragment, which a browser keeps to itself; `--open` hands it to a browser."""
    handed: list[str] = []

    def hand(link: str) -> bool:
        handed.append(link)
        return True

    monkeypatch.setattr(webbrowser, "open", hand)
    told = await asyncio.to_thread(command, place.state, "--open")
    link = told.stdout.strip()
    assert told.exit_code == 0
    assert handed == [link]
    address, _, ticket = link.partition("#ticket=")
    assert address == f"{place.url}/console"
    assert place.token not in told.output
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        visitor = Visitor(session, place.url)
        assert await visitor.sign_in(ticket) == 204
        assert await visitor.sign_in(ticket) == 401


async def test_the_token_can_be_pasted(place: Ground) -> None:
    """For a browser that the link cannot reach."""
    told = await asyncio.to_thread(command, place.state, "--token")
    assert told.stdout.strip() == place.token


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    """Exit code 3, as for `status`."""
    assert command(tmp_path / "none").exit_code == 3


def test_where_there_is_no_console_it_says_why(tmp_path: Path) -> None:
    """CONSOLE_OFF, with the settings that decide it."""
    state = tmp_path / "state"
    with occupancy.occupied(state):
        occupancy.announce(state, 1)
        told = command(state)
    assert told.exit_code == 1
    assert "CONSOLE_OFF" in told.stderr
    assert "BALUARTE_CONSOLE" in told.stderr


@pytest.mark.parametrize(
    ("environ", "served"),
    [
        ({}, True),
        ({"BALUARTE_CONSOLE": "off"}, False),
        ({"BALUARTE_ENVIRONMENT": "test"}, True),
        ({"BALUARTE_ENVIRONMENT": "production"}, False),
        ({"BALUARTE_ENVIRONMENT": "production", "BALUARTE_CONSOLE": "on"}, False),
    ],
)
def test_production_has_none(tmp_path: Path, environ: dict[str, str], served: bool) -> None:
    """Whatever is set; elsewhere one setting turns it off."""
    assert plan(tmp_path, **environ).console is served


def test_a_setting_that_makes_no_sense_is_told(tmp_path: Path) -> None:
    """With the others, before anything starts."""
    with pytest.raises(BaluarteError, match="BALUARTE_CONSOLE"):
        plan(tmp_path, BALUARTE_CONSOLE="perhaps")


def test_the_command_line_loads_no_web_server_for_it() -> None:
    """`baluarte --help` stays quick: the server is loaded by who serves."""
    program = "import sys, baluarte.cli; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
