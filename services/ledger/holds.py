"""Holds: money that is spoken for, placed before a sale and captured or let go after it. No I/O.

A hold is its transfer's first half and shares its id: capturing posts the transfer, and a hold that
was rejected, voided or expired leaves a FAILED transfer, so that the id can never move money later.
Held money does not count as available. Nothing expires by itself: while the outcome of a sale is
unknown its hold must stay, so `EXPIRE` is said by whoever knows, and refused before the time.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from chassis import codes
from services.ledger.book import Book, Hold, HoldStatus, Transfer, TransferKind
from services.ledger.contract import FailureReason, Posted, PostingStatus


class HoldAction(StrEnum):
    PLACE = "PLACE"
    CAPTURE = "CAPTURE"
    """Pay `amount`, at most what is held; the rest is let go. Once."""
    VOID = "VOID"
    """Let go. An id that was never placed is refused from now on."""
    EXPIRE = "EXPIRE"
    """Let go if `expires_at` has passed by the database's clock; else nothing happens."""


class HoldCommand(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the hold `transfer_id`; every step repeats the fields that it was placed with."""

    action: HoldAction
    transfer_id: UUID
    debit: UUID
    credit: UUID
    amount: int
    currency: str
    expires_at: datetime | None = None
    """Required for PLACE, ignored otherwise."""


class HoldResult(msgspec.Struct, frozen=True, kw_only=True):
    """The hold's state after the command.

    `status` is None when there is no hold: it was rejected (`reason`) or an `error` stopped the command.
    """

    transfer_id: UUID
    status: HoldStatus | None
    reason: FailureReason | None = None
    posted: Posted | None = None
    error: str | None = None


def decide(book: Book, command: HoldCommand) -> HoldResult:
    """The result of `command`, after all that `book` has seen before it; changes `book`."""
    if command.amount < 1 or command.debit == command.credit:
        return _error(command, codes.INVALID_INPUT)
    hold = book.holds.get(command.transfer_id)
    if hold is None:
        return _without_hold(book, command)
    if not _same(hold, command):
        return _error(command, codes.TRANSFER_MISMATCH)
    if command.action is HoldAction.CAPTURE:
        return _capture(book, hold, command)
    if hold.status is HoldStatus.HELD:
        if command.action is HoldAction.VOID:
            _let_go(book, hold, HoldStatus.VOIDED)
        elif command.action is HoldAction.EXPIRE and hold.expires_at <= book.now:
            _let_go(book, hold, HoldStatus.EXPIRED)
    return _state(book, hold)


def _without_hold(book: Book, command: HoldCommand) -> HoldResult:
    known = book.transfers.get(command.transfer_id)
    if known is not None:
        return _refused_before(known, command)
    if command.action is HoldAction.VOID:
        return _rejected(_refuse(book, command, FailureReason.TRANSFER_ABANDONED))
    if command.action is not HoldAction.PLACE:
        return _error(command, codes.TRANSACTION_NOT_FOUND)
    if command.expires_at is None or command.expires_at <= book.now:
        return _error(command, codes.INVALID_INPUT)
    reason = book.impediment(command.debit, command.credit, command.amount, command.currency)
    if reason is not None:
        return _rejected(_refuse(book, command, reason))
    hold = Hold(
        command.transfer_id,
        command.debit,
        command.credit,
        command.amount,
        command.currency,
        HoldStatus.HELD,
        command.expires_at,
    )
    book.put_hold(hold)
    return _state(book, hold)


def _capture(book: Book, hold: Hold, command: HoldCommand) -> HoldResult:
    """Held money is paid whatever has become of the accounts: the sale has happened."""
    if hold.status is HoldStatus.HELD:
        book.release(hold, HoldStatus.CAPTURED)
        book.move(
            hold.transfer_id,
            TransferKind.HOLD,
            hold.account_id,
            hold.credit,
            command.amount,
            hold.currency,
        )
    elif (
        hold.status is HoldStatus.CAPTURED
        and book.transfers[hold.transfer_id].amount != command.amount
    ):
        return _error(command, codes.TRANSFER_MISMATCH)
    return _state(book, hold)


def _same(hold: Hold, command: HoldCommand) -> bool:
    if command.action is HoldAction.CAPTURE:
        amount = command.amount <= hold.amount
    else:
        amount = command.amount == hold.amount
    return (
        amount
        and hold.account_id == command.debit
        and hold.credit == command.credit
        and hold.currency == command.currency
    )


def _let_go(book: Book, hold: Hold, status: HoldStatus) -> None:
    book.release(hold, status)
    book.refuse(
        hold.transfer_id,
        TransferKind.HOLD,
        hold.account_id,
        hold.credit,
        hold.amount,
        hold.currency,
        FailureReason.TRANSFER_ABANDONED,
    )


def _refuse(book: Book, command: HoldCommand, reason: FailureReason) -> Transfer:
    return book.refuse(
        command.transfer_id,
        TransferKind.HOLD,
        command.debit,
        command.credit,
        command.amount,
        command.currency,
        reason,
    )


def _refused_before(known: Transfer, command: HoldCommand) -> HoldResult:
    """The id has a transfer and no hold: rejected or given up before, or another kind of posting."""
    same = (
        known.status is PostingStatus.FAILED
        and known.kind in (TransferKind.HOLD, TransferKind.TOMBSTONE)
        and known.debit == command.debit
        and known.credit == command.credit
        and known.currency == command.currency
        and (command.action is HoldAction.CAPTURE or known.amount == command.amount)
    )
    return _rejected(known) if same else _error(command, codes.TRANSFER_MISMATCH)


def _state(book: Book, hold: Hold) -> HoldResult:
    """The hold as it is; its transfer tells how it ended."""
    end = book.transfers.get(hold.transfer_id)
    return HoldResult(
        transfer_id=hold.transfer_id,
        status=hold.status,
        reason=end.reason if end else None,
        posted=end.outcome() if end and end.status is PostingStatus.POSTED else None,
    )


def _rejected(transfer: Transfer) -> HoldResult:
    return HoldResult(transfer_id=transfer.id, status=None, reason=transfer.reason)


def _error(command: HoldCommand, code: codes.Code) -> HoldResult:
    return HoldResult(transfer_id=command.transfer_id, status=None, error=code.name)
