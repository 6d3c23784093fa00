"""The life of a transaction, as a pure state machine: no I/O, no clock of its own.

    PENDING ── ledger posted ──▶ COMPLETED ── its reversal posted ──▶ REVERSED
       │ └──── ledger refused ─▶ FAILED
       └─ unknown: stays PENDING and is sent again under the same id, for as long as it takes

Rules that hold everywhere in this service:

- Only the ledger's definite answer ends PENDING. A timeout, a lost connection or an error of any kind
  is *unknown*, and an unknown outcome is sent again, never compensated and never guessed at.
- Sending is bounded in rate (`leases.RESEND`), not in number.
- Past its own deadline a transaction is given up by sending a tombstone instead, which makes the
  ledger refuse the id for ever; the tombstone too is resent until its answer is definite. If the
  ledger holds the id already, what it holds wins, even if that means COMPLETED after the deadline.
"""

from dataclasses import dataclass
from typing import Final

from chassis import codes
from services.ledger.contract import PostingKind, PostingResult, PostingStatus
from services.transactions.contract import TransactionStatus, TransactionType

LIFETIME_SECONDS: Final = 24 * 3600
"""A transaction that the ledger could not decide in a day is given up: its sender has long turned
elsewhere, and an order executed later than that would surprise them."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The ledger moved the money."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The ledger will never move it: `reason` is an error code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No definite answer: `code` says what was seen instead."""

    code: str


Answer = Posted | Refused | Unknown


class Contradiction(RuntimeError):
    """A definite answer that denies an earlier definite answer: the ledger or we have lost data."""


def read_answer(result: PostingResult) -> Answer:
    """What the ledger's result for one posting means here.

    TRANSFER_MISMATCH is definite for the ledger, yet unknown for us: the id stands for other money
    than we believe, so neither COMPLETED nor FAILED would be true. It stays PENDING, is counted and
    logged as an error, and a person must look.
    """
    posted = result.posted
    if posted is None:
        return Unknown(result.error or codes.OUTCOME_UNKNOWN.name)
    if posted.status is PostingStatus.POSTED:
        return Posted()
    if posted.reason is None:
        return Unknown(codes.OUTCOME_UNKNOWN.name)
    return Refused(posted.reason.value)


def command(type_: TransactionType, *, given_up: bool) -> PostingKind:
    """What to send for a PENDING transaction; `given_up` once its deadline has passed."""
    if given_up:
        return PostingKind.TOMBSTONE
    if type_ is TransactionType.REVERSAL:
        return PostingKind.REVERSAL
    return PostingKind.TRANSFER


def settle(status: TransactionStatus, answer: Answer) -> TransactionStatus:
    """The status after the ledger's answer.

    Raises:
        Contradiction: the answer denies what was settled before; nothing must be changed.
    """
    if isinstance(answer, Unknown):
        return status
    posted = isinstance(answer, Posted)
    if status is TransactionStatus.PENDING:
        return TransactionStatus.COMPLETED if posted else TransactionStatus.FAILED
    if posted != (status is not TransactionStatus.FAILED):
        raise Contradiction(f"a {status} transaction was answered {answer}")
    return status


def reverse(status: TransactionStatus) -> TransactionStatus:
    """The status of a transaction whose reversal has completed.

    Raises:
        Contradiction: only a completed one can have such a reversal.
    """
    if status is not TransactionStatus.COMPLETED:
        raise Contradiction(f"a {status} transaction cannot have been reversed")
    return TransactionStatus.REVERSED
