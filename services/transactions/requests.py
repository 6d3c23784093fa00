"""What may be asked for: the rules that need no database, and the fingerprint of a request.

The ledger decides about funds, accounts and activity; here only what the request itself can tell.
"""

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from chassis import codes
from chassis.contract import MINOR_UNITS_LIMIT
from services.ledger.contract import DEFAULT_CURRENCY, reversal_id_of
from services.transactions.contract import Create, Reverse, TransactionType
from services.transactions.rows import Draft, Row, new_id

DEFAULT_RAIL_CAP: Final = 1_000_000
"""Minor units (R$ 10,000.00): enough to try everything, small enough to stay a demonstration."""


@dataclass(frozen=True, slots=True)
class DemoRail:
    """Deposits and withdrawals that customers order themselves, from and to nowhere.

    Attributes:
        enabled: off in production, where money comes through real rails.
        cap: most that one of them may move, minor units.
    """

    enabled: bool = True
    cap: int = DEFAULT_RAIL_CAP

    def __post_init__(self) -> None:
        if not 1 <= self.cap <= MINOR_UNITS_LIMIT:
            raise ValueError(f"the cap must be between 1 and {MINOR_UNITS_LIMIT}, not {self.cap}")

    def admit(self, amount: int) -> None:
        """Raise DEPOSIT_DISABLED or DEPOSIT_LIMIT if it does not take `amount`."""
        if not self.enabled:
            raise codes.DEPOSIT_DISABLED.error()
        if amount > self.cap:
            raise codes.DEPOSIT_LIMIT.error(
                f"At most {self.cap} minor units at a time; choose a smaller amount.",
                field="amount",
            )


def draft_of(
    request: Create,
    user_id: UUID,
    rail: DemoRail,
    *,
    correlation_id: str,
    traceparent: str | None = None,
) -> Draft:
    """The transaction that `user_id` asks for.

    Raises:
        CodedError: INVALID_INPUT, INVALID_AMOUNT, UNSUPPORTED_CURRENCY, SELF_TRANSFER,
            DEPOSIT_DISABLED, DEPOSIT_LIMIT.
    """
    if not 1 <= request.amount <= MINOR_UNITS_LIMIT:
        raise codes.INVALID_AMOUNT.error(field="amount")
    if request.currency != DEFAULT_CURRENCY:
        raise codes.UNSUPPORTED_CURRENCY.error(field="currency")
    sender, receiver = _parties(request, user_id)
    if request.type is not TransactionType.TRANSFER:
        rail.admit(request.amount)
    return Draft(
        id=new_id(),
        type=request.type,
        sender_id=sender,
        receiver_id=receiver,
        initiated_by=user_id,
        amount=request.amount,
        currency=request.currency,
        description=request.description,
        metadata=request.metadata,
        idempotency_key=request.idempotency_key,
        request_hash=fingerprint("create", request),
        correlation_id=correlation_id,
        traceparent=traceparent,
    )


def reversal_of(
    original: Row,
    request: Reverse,
    staff_id: UUID,
    *,
    correlation_id: str,
    traceparent: str | None = None,
) -> Draft:
    """The transaction that takes `original` back: same money, other way round."""
    return Draft(
        id=reversal_id_of(original.id),
        type=TransactionType.REVERSAL,
        sender_id=original.receiver_id,
        receiver_id=original.sender_id,
        initiated_by=staff_id,
        amount=original.amount,
        currency=original.currency,
        description=request.description,
        metadata=None,
        idempotency_key=request.idempotency_key,
        request_hash=fingerprint("reverse", request),
        correlation_id=correlation_id,
        traceparent=traceparent,
        reverses=original.id,
    )


def fingerprint(operation: str, request: Create | Reverse) -> bytes:
    """SHA-256 of the operation and its arguments in canonical form, the idempotency key left out.

    Two requests have the same one exactly if they ask for the same: the order of metadata does not
    count, and null equals a field that is left out, so that a field added later changes no old hash.
    """
    arguments = {
        name: value
        for name, value in msgspec.to_builtins(request).items()
        if value is not None and name != "idempotencyKey"
    }
    canonical = msgspec.json.encode([operation, arguments], order="sorted")
    return hashlib.sha256(canonical).digest()


def _parties(request: Create, user_id: UUID) -> tuple[UUID | None, UUID | None]:
    """Sender and receiver; None is the world outside."""
    receiver = request.receiver_id
    match request.type:
        case TransactionType.TRANSFER:
            if receiver is None:
                raise codes.INVALID_INPUT.error("A transfer needs a receiver.", field="receiverId")
            if receiver == user_id:
                raise codes.SELF_TRANSFER.error(field="receiverId")
            return user_id, receiver
        case TransactionType.REVERSAL:
            raise codes.INVALID_INPUT.error(
                "A reversal is made by the operation reverse.", field="type"
            )
    if receiver is not None:
        raise codes.INVALID_INPUT.error(
            f"A {request.type.value.lower()} has no receiver; leave it out.", field="receiverId"
        )
    if request.type is TransactionType.DEPOSIT:
        return None, user_id
    return user_id, None
