"""The page about deployment says what the files do."""

import re

import click
import pytest

from baluarte.cli import main
from tests.deploy.composition import document, services
from tests.servers import HOUSES

PAGE = (HOUSES / "docs" / "deploying.md").read_text()
COMMANDS = [line.removeprefix("$ ") for line in re.findall(r"^\$ .*$", PAGE, re.MULTILINE)]


def test_every_volume_is_explained() -> None:
    """Who makes backups learns of each volume what is lost with it."""
    named = set(re.findall(r"`([a-z]+-[a-z]+)`", PAGE))
    for volume in document()["volumes"]:
        assert volume in named or f"{volume.partition('-')[0]}-…" in PAGE, volume


def test_every_published_port_is_listed() -> None:
    """And no other."""
    published = {
        port.split(":")[1]
        for service in services().values()
        for port in service.raw.get("ports", ())
    }
    assert set(re.findall(r"<http://127\.0\.0\.1:(\d+)", PAGE)) == published


@pytest.mark.parametrize(
    "command", [line for line in COMMANDS if " run " in line or " exec " in line]
)
def test_every_command_names_a_service_and_its_mounts(command: str) -> None:
    """What is run in a container runs in one that exists, on paths that are mounted there."""
    words = command.partition(" > ")[0].partition(" < ")[0].split()
    name = next(word for word in words[3:] if not word.startswith("-"))
    service = services()[name]
    targets = [mount.target for mount in service.mounts]
    for path in re.findall(r"(?<!\S)(/[\w/]+)", command):
        assert any(target.startswith(path) or path.startswith(target) for target in targets), path


def test_every_command_of_ours_exists() -> None:
    """With its options, on the page as in compose.yaml."""
    told = [service.command for service in services().values() if service.once]
    told += [line[line.index("baluarte") :].split() for line in COMMANDS if " baluarte " in line]
    assert len(told) > 3
    for program, name, *rest in told:
        assert program == "baluarte"
        command = main.commands[name]
        options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
        assert {word for word in rest if word.startswith("--")} <= options
