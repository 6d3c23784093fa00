"""What becomes of a posting: the decision, without I/O.

The rules, in their order:

1. An id that the ledger knows keeps its outcome. Same fields: the stored outcome, whatever the accounts
   look like now. Other fields: TRANSFER_MISMATCH, and nothing is written.
2. A TOMBSTONE refuses an unknown id for good; for a known one, its outcome wins.
3. A REVERSAL takes back a posted transfer that is no reversal, at most once, with its legs swapped.
4. Both accounts exist, keep the currency and are active, and the debited one can pay: then both legs
   are posted; else the transfer has FAILED, for good.
"""

from chassis import codes
from services.ledger.book import Book, Hold, HoldStatus, Transfer, TransferKind
from services.ledger.contract import (
    FailureReason,
    Posting,
    PostingKind,
    PostingResult,
    PostingStatus,
)


def decide(book: Book, posting: Posting) -> PostingResult:
    """The result of `posting`, after all that `book` has seen before it; changes `book`."""
    known = book.transfers.get(posting.transfer_id)
    if known is not None:
        return _known(known, posting)
    if (malformed := _malformed(posting)) is not None:
        return _error(posting, malformed)
    if book.holds and (hold := book.holds.get(posting.transfer_id)) is not None:
        return _held(book, hold, posting)
    kind = posting.kind
    if kind is PostingKind.TRANSFER:
        reason = book.impediment(posting.debit, posting.credit, posting.amount, posting.currency)
    elif kind is PostingKind.TOMBSTONE:
        reason = FailureReason.TRANSFER_ABANDONED
    else:
        original = book.transfers.get(posting.reverses) if posting.reverses else None
        if original is not None and not _swapped(original, posting):
            return _error(posting, codes.TRANSFER_MISMATCH)
        reason = _why_not_reverse(book, original, posting)
    return _decided(book, posting, reason)


def _decided(book: Book, posting: Posting, reason: FailureReason | None) -> PostingResult:
    if reason is None:
        transfer = book.move(
            posting.transfer_id,
            posting.kind,
            posting.debit,
            posting.credit,
            posting.amount,
            posting.currency,
            posting.reverses,
        )
    else:
        transfer = book.refuse(
            posting.transfer_id,
            posting.kind,
            posting.debit,
            posting.credit,
            posting.amount,
            posting.currency,
            reason,
            posting.reverses,
        )
    return PostingResult(transfer_id=posting.transfer_id, posted=transfer.outcome())


def _known(known: Transfer, posting: Posting) -> PostingResult:
    if not _same(known, posting):
        return _error(posting, codes.TRANSFER_MISMATCH)
    return PostingResult(transfer_id=posting.transfer_id, posted=known.outcome())


def _same(known: Transfer, posting: Posting) -> bool:
    """Whether `posting` asks again for what `known` was. A tombstone stands for any kind."""
    fields = (
        known.debit == posting.debit
        and known.credit == posting.credit
        and known.currency == posting.currency
    )
    if TransferKind.TOMBSTONE in (known.kind, posting.kind):
        # A hold may have been captured in part: its transfer then has the smaller amount.
        return fields and (known.amount == posting.amount or known.kind == TransferKind.HOLD)
    return (
        fields
        and known.amount == posting.amount
        and known.kind == posting.kind
        and known.reverses == posting.reverses
    )


def _malformed(posting: Posting) -> codes.Code | None:
    """What is wrong with the posting itself, whatever the ledger holds."""
    if posting.debit == posting.credit:
        return codes.SELF_TRANSFER
    if posting.kind is PostingKind.TRANSFER:
        wrong = posting.reverses is not None
    else:
        missing = posting.kind is PostingKind.REVERSAL and posting.reverses is None
        wrong = missing or posting.reverses == posting.transfer_id
    return codes.INVALID_INPUT if wrong else None


def _held(book: Book, hold: Hold, posting: Posting) -> PostingResult:
    """A posting whose id belongs to an open hold: only giving it up is possible."""
    same = (
        posting.kind is PostingKind.TOMBSTONE
        and hold.account_id == posting.debit
        and hold.credit == posting.credit
        and hold.amount == posting.amount
        and hold.currency == posting.currency
    )
    if not same:
        return _error(posting, codes.TRANSFER_MISMATCH)
    book.release(hold, HoldStatus.VOIDED)
    return _decided(book, posting, FailureReason.TRANSFER_ABANDONED)


def _swapped(original: Transfer, posting: Posting) -> bool:
    return (
        original.debit == posting.credit
        and original.credit == posting.debit
        and original.amount == posting.amount
        and original.currency == posting.currency
    )


def _why_not_reverse(
    book: Book, original: Transfer | None, posting: Posting
) -> FailureReason | None:
    if (
        original is None
        or original.status is not PostingStatus.POSTED
        or original.kind == TransferKind.REVERSAL
        or original.id in book.reversed_ids
    ):
        return FailureReason.NOT_REVERSIBLE
    return book.impediment(posting.debit, posting.credit, posting.amount, posting.currency)


def _error(posting: Posting, code: codes.Code) -> PostingResult:
    return PostingResult(transfer_id=posting.transfer_id, posted=None, error=code.name)
