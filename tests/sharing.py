"""Which tests a process of the run takes together, when there are several (`make test`: three).

Tests of a file share its fixtures, so a file is a group; those of `tests/system/` share one platform;
and each campaign of `tests/kill/` brings its own up, so it is a group by itself. Every process has
servers of its own (PostgreSQL, Valkey, RabbitMQ), so that nothing else is shared.

Most tests wait for servers, not for the processor: three processes keep two cores busy.
"""

from collections.abc import Iterable
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

HEAVY: Final = (
    "tests/system",
    "tests/kill/",
    "tests/chaos/engine/test_real.py",
    "tests/deploy/test_stack.py",
    "tests/baluarte/test_platform.py",
    "tests/loadtests/test_run.py",
    "tests/monitoring/test_platform.py",
    "tests/chaos/explore/test_real.py",
    "tests/baluarte/test_chaos_platform.py",
)
"""Whole platforms, most of them under load: one at a time, beside what is light. Several would starve each
other on two cores, and a starved platform misses the limits that it is held to."""


def group_of(path: str, name: str) -> str:
    """The group of the test `name` in the file `path`, which is relative to the project."""
    if path.startswith("tests/system/"):
        return "tests/system"
    if path.startswith("tests/kill/"):
        return f"{path}::{name}"
    return path


def place(group: str) -> int:
    """Where a group stands in the queue: smaller is sooner, and what takes longest begins first."""
    return next((n for n, start in enumerate(HEAVY) if group.startswith(start)), len(HEAVY))


def is_heavy(group: str) -> bool:
    """Whether a group has a platform to itself."""
    return group.startswith(HEAVY)


def choose(waiting: Iterable[str], under_way: Iterable[str]) -> str:
    """The next group of those that wait, which are at least one: the first that may run beside the others."""
    groups = list(waiting)
    if any(is_heavy(group) for group in under_way):
        return next((group for group in groups if not is_heavy(group)), groups[0])
    return groups[0]


def arrange(items: list[pytest.Item]) -> None:
    """Put the longest groups first."""
    items.sort(key=lambda item: place(group_of_id(item.nodeid)))


def group_of_id(nodeid: str) -> str:
    """The group of the test with pytest's id `nodeid`."""
    path, _, name = nodeid.partition("::")
    return group_of(path, name)


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
    """Hands whole groups to the processes of the run, in the order of the tests; one heavy group at a time.

    pytest-xdist 3.8 has groups by a mark, which pytest 9.2 no longer lets it write into a test's id.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = (
            group
            for other, groups in self.assigned_work.items()
            if other is not node
            for group, tests in groups.items()
            if not all(tests.values())
        )
        self.workqueue.move_to_end(choose(self.workqueue, others), last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        return group_of_id(nodeid)
