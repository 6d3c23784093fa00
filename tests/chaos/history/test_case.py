"""Pairing events into operations, and refusing events that do not fit."""

import pytest

from chaos.history.case import NEVER, Case, Kind, pair
from chaos.history.events import Fail, HistoryError, Info, Ok, Op, Status
from chaos.history.state import ServerState
from tests.chaos.history.stories import USER, Story, acknowledged


def test_an_invoke_and_its_answer_become_one_operation() -> None:
    """An operation carries the request, the answer, and when each was."""
    (operation,) = pair(acknowledged().told())

    assert operation.kind is Kind.OK
    assert operation.answer.transfer == "t-1"
    assert (operation.invoked, operation.completed) == (0, 1_000_000_000)
    assert operation.owner == (USER, "key-1")


def test_processes_interleave() -> None:
    """Each answer goes to the invoke of its own process."""
    story = Story().asks(1, key="key-a").asks(2, key="key-b")
    story.hears(2, key="key-b", transfer="t-b").hears(1, key="key-a", transfer="t-a")

    found = {operation.key: operation.answer.transfer for operation in pair(story.told())}

    assert found == {"key-a": "t-a", "key-b": "t-b"}


def test_an_invoke_that_nothing_answered_is_unknown() -> None:
    """A process that died in mid-operation leaves an outcome that nobody knows."""
    (operation,) = pair(Story().asks().told())

    assert operation.kind is Kind.INFO
    assert operation.completed == NEVER


@pytest.mark.parametrize(
    ("kind", "expected"), [(Ok, Kind.OK), (Fail, Kind.FAIL), (Info, Kind.INFO)]
)
def test_each_completion_has_its_kind(
    kind: type[Ok] | type[Fail] | type[Info], expected: Kind
) -> None:
    """ok, fail and info stay apart."""
    story = Story().asks()
    story.events.append(kind(time=1, process=0, op=Op.TRANSFER, key="key-1"))

    assert pair(story.told())[0].kind is expected


def test_a_process_has_one_operation_open() -> None:
    """A second invoke before the first is answered is damage, told with its line."""
    with pytest.raises(HistoryError, match=r"line 3: process 0 still has transfer open"):
        pair(Story().asks().asks().told())


def test_an_answer_without_an_invoke_is_refused() -> None:
    """A history that lacks an invoke was not written by a driver that writes first."""
    with pytest.raises(HistoryError, match=r"line 2: process 0 completes what it never invoked"):
        pair(Story().hears(transfer="t-1").told())


def test_an_answer_to_another_question_is_refused() -> None:
    """Operation and key of an answer are those of its invoke."""
    with pytest.raises(HistoryError, match="asked transfer key-1, completes transfer key-2"):
        pair(Story().asks().hears(key="key-2").told())


def test_an_answer_before_its_question_is_refused() -> None:
    """A clock that goes back proves nothing."""
    story = Story().asks()
    story.events.append(Ok(time=-1, process=0, op=Op.TRANSFER, key="key-1"))

    with pytest.raises(HistoryError, match="the clock went back"):
        pair(story.told())


def test_only_a_read_that_overlaps_an_operation_is_concurrent() -> None:
    """A read counts as concurrent when a money operation is open at some moment of it."""
    story = Story().reads()  # before
    story.asks().reads().hears(transfer="t-1", status=Status.COMPLETED)  # during
    story.reads()  # after
    story.asks(99, Op.READ, "").asks(key="key-2").hears(99, Op.READ, "").loses(key="key-2")

    reads = [operation for operation in pair(story.told()) if operation.op is Op.READ]

    assert [read.overlapped for read in reads] == [False, True, False, True]


def test_a_stale_answer_names_nothing() -> None:
    """What the platform marked as stale is no acknowledgement."""
    story = Story().finds(transfer="t-1", status=Status.PENDING, stale=True)

    assert Case(story.told(), ServerState()).answered == {}
