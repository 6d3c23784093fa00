"""compose.yaml as values: what each service runs, with which environment and mounts, and after whom.

Read by a plain YAML parser, so that these tests run anywhere; `test_compose.py` holds what is read here
against docker-compose's own parser.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.servers import HOUSES

FILE = HOUSES / "compose.yaml"
COMPLETED = "service_completed_successfully"
HEALTHY = "service_healthy"


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume's name or a file's path, and where it appears."""

    source: str
    target: str
    read_only: bool

    @property
    def is_file(self) -> bool:
        return self.source.startswith("./")


@dataclass(frozen=True, slots=True)
class Service:
    """One service, its `${…}` resolved to the defaults."""

    name: str
    raw: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()

    @property
    def ours(self) -> bool:
        return "build" in self.raw

    @property
    def image(self) -> str:
        return str(self.raw["image"])

    @property
    def command(self) -> list[str]:
        return [str(word) for word in self.raw.get("command", [])]

    @property
    def once(self) -> bool:
        return self.ours and self.raw["restart"] == "no"

    @property
    def after(self) -> dict[str, str]:
        """The condition on each service that has to come first."""
        wanted = self.raw.get("depends_on", {})
        return {name: str(how["condition"]) for name, how in wanted.items()}

    @property
    def health(self) -> list[str]:
        return [str(word) for word in self.raw.get("healthcheck", {}).get("test", [])]


@cache
def document() -> dict[str, Any]:
    """The whole file; `${NAME:-default}` is the default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", FILE.read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def services() -> dict[str, Service]:
    """All services by name."""
    return {name: _service(name, raw) for name, raw in document()["services"].items()}


def in_order() -> list[Service]:
    """The services so that each comes after those that it waits for."""
    done: dict[str, Service] = {}
    left = dict(services())
    while left:
        ready = [service for service in left.values() if not service.after.keys() - done.keys()]
        assert ready, f"these wait for each other: {', '.join(left)}"
        for service in ready:
            done[service.name] = left.pop(service.name)
    return list(done.values())


def _service(name: str, raw: dict[str, Any]) -> Service:
    environment = {key: str(value) for key, value in raw.get("environment", {}).items()}
    mounts = tuple(_mount(entry) for entry in raw.get("volumes", ()))
    return Service(name, raw, environment, mounts)


def _mount(entry: Any) -> Mount:
    if isinstance(entry, str):
        source, target, *options = entry.split(":")
        return Mount(source, target, options == ["ro"])
    return Mount(entry["source"], entry["target"], bool(entry.get("read_only")))


def tool(name: str) -> Path | None:
    """A checking tool that scripts/deploy-tools installs, where it could."""
    path = HOUSES / ".venv" / "bin" / name
    return path if path.exists() else None
