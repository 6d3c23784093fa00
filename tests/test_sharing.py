"""How the tests are shared out among processes."""

import os

import pytest

from tests.sharing import HEAVY, choose, group_of, place


def test_what_shares_a_server_stays_together() -> None:
    """A file is a group, all system tests are one, and each campaign of a kill run is one."""
    assert (
        group_of("tests/chassis/test_outbox.py", "test_backlog") == "tests/chassis/test_outbox.py"
    )
    assert group_of("tests/system/test_pages.py", "a") == group_of("tests/system/x.py", "b")
    first, second = (group_of("tests/kill/test_kill.py", f"test[{n}]") for n in "ab")
    assert first != second


def test_the_longest_groups_start_first() -> None:
    """The platforms come before what takes seconds."""
    quick = place("tests/chassis/test_outbox.py")
    assert all(place(group) < quick for group in HEAVY)


def test_one_platform_at_a_time() -> None:
    """While a heavy group is under way a light one is next, and a heavy one if nothing else is left."""
    kill, light = "tests/kill/test_kill.py::a", "tests/chassis/test_outbox.py"
    waiting = ["tests/system", kill, light]

    assert choose(waiting, [light]) == "tests/system"
    assert choose(waiting, [kill, light]) == light
    assert choose(waiting[:2], [kill]) == "tests/system"


@pytest.mark.parametrize("number", range(8))
def test_a_process_takes_whole_groups(
    number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All tests of this file run in one process, whatever the number of processes."""
    told = tmp_path_factory.getbasetemp().parent / "sharing-seen-by"
    if number == 0:
        told.write_text(str(os.getpid()))
    assert told.read_text() == str(os.getpid())
