"""The state machine, without any I/O."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.contract import (
    FailureReason,
    PostingKind,
    PostingResult,
    PostingStatus,
)
from services.ledger.contract import Posted as LedgerPosted
from services.transactions.contract import TransactionStatus, TransactionType
from services.transactions.machine import (
    Answer,
    Contradiction,
    Posted,
    Refused,
    Unknown,
    command,
    read_answer,
    reverse,
    settle,
)

PENDING, COMPLETED = TransactionStatus.PENDING, TransactionStatus.COMPLETED
FAILED, REVERSED = TransactionStatus.FAILED, TransactionStatus.REVERSED

ANSWERS: list[Answer] = [Posted(), Refused("INSUFFICIENT_FUNDS"), Unknown("OUTCOME_UNKNOWN")]
answers = st.sampled_from(ANSWERS)


def result(
    status: PostingStatus | None, reason: FailureReason | None = None, error: str | None = None
) -> PostingResult:
    id_ = uuid4()
    posted = status and LedgerPosted(
        transfer_id=id_,
        status=status,
        reason=reason,
        debit_balance=None,
        credit_balance=None,
        posted_at=datetime.now(UTC),
    )
    return PostingResult(transfer_id=id_, posted=posted or None, error=error)


@pytest.mark.parametrize(
    ("given_result", "answer"),
    [
        (result(PostingStatus.POSTED), Posted()),
        (
            result(PostingStatus.FAILED, FailureReason.ACCOUNT_INACTIVE),
            Refused("ACCOUNT_INACTIVE"),
        ),
        (result(PostingStatus.FAILED), Unknown("OUTCOME_UNKNOWN")),
        (result(None), Unknown("OUTCOME_UNKNOWN")),
        (result(None, error="UNAVAILABLE"), Unknown("UNAVAILABLE")),
        (result(None, error="TRANSFER_MISMATCH"), Unknown("TRANSFER_MISMATCH")),
        (result(None, error="SOMETHING_NEW"), Unknown("SOMETHING_NEW")),
    ],
)
def test_reading_answers(given_result: PostingResult, answer: Answer) -> None:
    """Only POSTED, and FAILED with a reason, are definite; everything else is unknown."""
    assert read_answer(given_result) == answer


@pytest.mark.parametrize("type_", list(TransactionType))
def test_commands(type_: TransactionType) -> None:
    """A transaction is sent as what it is, and as a tombstone once it is given up."""
    kind = PostingKind.REVERSAL if type_ is TransactionType.REVERSAL else PostingKind.TRANSFER
    assert command(type_, given_up=False) is kind
    assert command(type_, given_up=True) is PostingKind.TOMBSTONE


@pytest.mark.parametrize("status", list(TransactionStatus))
def test_unknown_changes_nothing(status: TransactionStatus) -> None:
    """An unknown outcome leaves every status as it is: nothing is guessed and nothing compensated."""
    assert settle(status, Unknown("UNAVAILABLE")) is status


@given(st.lists(answers, max_size=20))
def test_first_definite_answer_decides(seen: list[Answer]) -> None:
    """Whatever comes in which order, the first definite answer decides, and a denial is an error."""
    status = PENDING
    first = next((answer for answer in seen if not isinstance(answer, Unknown)), None)
    for answer in seen:
        denied = not isinstance(answer, Unknown) and type(answer) is not type(first)
        if denied:
            with pytest.raises(Contradiction):
                settle(status, answer)
        else:
            status = settle(status, answer)
    expected = {Posted: COMPLETED, Refused: FAILED}
    assert status is (PENDING if first is None else expected[type(first)])


@given(answers)
def test_reversed_stays_reversed(answer: Answer) -> None:
    """A reversed transaction was posted: asking the ledger again confirms it, or is a contradiction."""
    if isinstance(answer, Refused):
        with pytest.raises(Contradiction):
            settle(REVERSED, answer)
    else:
        assert settle(REVERSED, answer) is REVERSED


@pytest.mark.parametrize("status", list(TransactionStatus))
def test_only_completed_can_be_reversed(status: TransactionStatus) -> None:
    """COMPLETED becomes REVERSED; no other status has a reversal that could complete."""
    if status is COMPLETED:
        assert reverse(status) is REVERSED
    else:
        with pytest.raises(Contradiction):
            reverse(status)
