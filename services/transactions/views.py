"""What a signed-in user may see of a transaction."""

from chassis import codes
from chassis.context import Call, UserIdentity
from services.transactions.contract import Transaction
from services.transactions.rows import Row


def signed_in(call: Call) -> UserIdentity:
    """The user of a call.

    Raises:
        CodedError: UNAUTHENTICATED.
    """
    if call.user is None:
        raise codes.UNAUTHENTICATED.error()
    return call.user


def may_see(row: Row, viewer: UserIdentity) -> bool:
    """Whether `viewer` takes part in it, ordered it, or is staff."""
    return viewer.is_staff or viewer.id in (row.sender_id, row.receiver_id, row.initiated_by)


def view(row: Row, viewer: UserIdentity) -> Transaction:
    """`row` as `viewer` sees it; whether they may is `may_see`'s question.

    A receiver does not learn why a transfer to them failed: that is the sender's balance speaking.
    """
    ordered = viewer.id == row.initiated_by
    reason_shown = ordered or viewer.is_staff or viewer.id == row.sender_id
    return Transaction(
        id=row.id,
        type=row.type,
        status=row.status,
        sender_id=row.sender_id,
        receiver_id=row.receiver_id,
        sender_name=row.sender_name,
        receiver_name=row.receiver_name,
        initiated_by=row.initiated_by,
        amount=row.amount,
        currency=row.currency,
        description=row.description,
        metadata=_metadata(row) if ordered or viewer.is_staff else None,
        idempotency_key=row.idempotency_key if ordered else None,
        failure_reason=row.failure_reason if reason_shown else None,
        reverses=row.reverses,
        reversed_by=row.reversed_by,
        created_at=row.created_at,
        processed_at=row.processed_at,
        version=row.version,
    )


def _metadata(row: Row) -> dict[str, str | int | bool | None] | None:
    return None if row.metadata is None else dict(row.metadata)
