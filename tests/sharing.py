"""Which tests a process of the run takes together, when there are several (`make test`: two).

Tests of a file share its fixtures, so a file is a group; those of `tests/system/` share one platform;
and each campaign of `tests/kill/` brings its own up, so it is a group by itself. Every process has
servers of its own (PostgreSQL, Valkey, RabbitMQ), so that nothing else is shared.

Most tests wait for servers, not for the processor: two processes take little more than half the time.
"""

from pathlib import Path
from typing import Final

import pytest

# What takes longest starts first, so that no process is left with it at the end.
LONGEST: Final = ("tests/system", "tests/kill/")


def group_of(path: str, name: str) -> str:
    """The group of the test `name` in the file `path`, which is relative to the project."""
    if path.startswith("tests/system/"):
        return "tests/system"
    if path.startswith("tests/kill/"):
        return f"{path}::{name}"
    return path


def place(group: str) -> int:
    """Where a group stands in the queue: smaller is sooner."""
    return next((n for n, start in enumerate(LONGEST) if group.startswith(start)), len(LONGEST))


def arrange(items: list[pytest.Item], root: Path) -> None:
    """Mark every test with its group for pytest-xdist, and put the longest groups first."""
    places: dict[str, int] = {}
    for item in items:
        group = group_of(item.path.relative_to(root).as_posix(), item.name)
        item.add_marker(pytest.mark.xdist_group(group))
        places[item.nodeid] = place(group)
    items.sort(key=lambda item: places[item.nodeid])
