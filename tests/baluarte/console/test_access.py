"""Who may look: tokens, tickets and sessions, on a clock that the test moves."""

from pathlib import Path

import pytest

from baluarte.console import access
from baluarte.console.access import Access


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock) -> Access:
    return Access("the-token", clock)


def test_the_token_is_its_owners_alone_and_new_each_time(tmp_path: Path) -> None:
    """Mode 0600 in the state directory, and nothing that an earlier start's could open."""
    first = access.draw(tmp_path)
    second = access.draw(tmp_path)
    assert first != second == access.token_of(tmp_path)
    assert (tmp_path / access.FILE).stat().st_mode & 0o777 == 0o600


def test_the_token_signs_in_again_and_again(door: Access) -> None:
    """Each time a session of its own; anything else signs nobody in."""
    one, two = door.admit("the-token"), door.admit("the-token")
    assert one is not None
    assert two is not None
    assert one != two
    assert door.knows(one)
    assert [door.admit(wrong) for wrong in ("", "the-toke", "the-token ", "é")] == [None] * 4


def test_a_ticket_signs_in_once(door: Access) -> None:
    """What stays in a history or a terminal is worth nothing."""
    ticket = door.ticket()
    assert door.admit(ticket) is not None
    assert door.admit(ticket) is None


def test_a_ticket_is_good_for_a_short_while(door: Access, clock: Clock) -> None:
    """And not a moment longer."""
    early, late = door.ticket(), door.ticket()
    clock.now += access.TICKET_SECONDS - 1
    assert door.admit(early) is not None
    clock.now += 1
    assert door.admit(late) is None


def test_a_session_ends(door: Access, clock: Clock) -> None:
    """With its time, or when its owner signs out."""
    session, other = door.admit("the-token"), door.admit("the-token")
    assert session is not None
    assert other is not None
    door.leave(other)
    assert not door.knows(other)
    clock.now += access.SESSION_SECONDS - 1
    assert door.knows(session)
    clock.now += 1
    assert not door.knows(session)
    assert not door.knows("")


def test_everything_is_bounded(door: Access) -> None:
    """The oldest goes for a new one."""
    tickets = [door.ticket() for _ in range(access.MAX_TICKETS + 1)]
    assert door.admit(tickets[0]) is None
    assert door.admit(tickets[-1]) is not None
    sessions = [door.admit("the-token") for _ in range(access.MAX_SESSIONS + 1)]
    assert [door.knows(one or "") for one in sessions] == [False] + [True] * access.MAX_SESSIONS
