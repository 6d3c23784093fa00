"""Fake parts over real processes and sockets, for the supervisor's tests."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from baluarte.embedded.command import Command
from baluarte.embedded.ports import free_port
from baluarte.supervisor.blueprint import readiness
from baluarte.supervisor.lifecycle import RestartPolicy, Tell
from baluarte.supervisor.part import PartSpec

PROGRAM = Path(__file__).with_name("fake_part.py")
# Quick, so that tests are; generous where a busy machine decides.
QUICK = RestartPolicy(
    first_pause=0.05, longest_pause=0.5, stable_after=30, start_timeout=20, grace=0.5, tries=3
)


def fake(
    name: str,
    mode: str = "good",
    policy: RestartPolicy = QUICK,
    sweep: Callable[[], object] | None = None,
    **environment: str,
) -> PartSpec:
    """The fake program in `mode`, on a free port."""
    port = free_port()
    command = Command(
        (sys.executable, "-S", str(PROGRAM), mode),
        {"BALUARTE_PORT": str(port), **environment},
        Path("/"),
    )
    url = f"http://127.0.0.1:{port}"
    return PartSpec(name, lambda: command, readiness(port), url, policy, sweep)


@dataclass
class Heard:
    """Collects what the operator is told."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, part: str, message: Tell) -> None:
        self.lines.append((part, message.text))

    def about(self, part: str) -> list[str]:
        return [text for name, text in self.lines if name == part]
