"""Which tests a process of the run takes together, when there are several (`make test`: three).

Tests of a file share its fixtures, so a file is a group; those of `tests/system/` share one platform;
and each campaign of `tests/kill/` brings its own up, so it is a group by itself. Every process has
servers of its own (PostgreSQL, Valkey, RabbitMQ), so that nothing else is shared.

Most tests wait for servers, not for the processor: three processes keep two cores busy.
"""

from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

# What takes longest starts first, so that no process is left with it at the end.
LONGEST: Final = (
    "tests/system",
    "tests/kill/",
    "tests/chaos/engine/test_real.py",
    "tests/deploy/",
    "tests/baluarte/test_platform.py",
    "tests/chassis/test_delivery.py",
    "tests/monitoring/test_platform.py",
    "tests/chaos/explore/test_real.py",
)


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


def arrange(items: list[pytest.Item]) -> None:
    """Put the longest groups first."""
    items.sort(key=lambda item: place(group_of_id(item.nodeid)))


def group_of_id(nodeid: str) -> str:
    """The group of the test with pytest's id `nodeid`."""
    path, _, name = nodeid.partition("::")
    return group_of(path, name)


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
    """Hands whole groups to the processes of the run, in the order of the tests.

    pytest-xdist 3.8 has groups by a mark, which pytest 9.2 no longer lets it write into a test's id.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of_id(nodeid)
