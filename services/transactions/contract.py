"""What the transactions service does for others: transfers and statements. Structs and operations, no I/O.

It owns each transfer's status and the clients' idempotency keys; the ledger owns the money.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from chassis import codes
from chassis.contract import (
    Amount,
    Answer,
    Currency,
    Cursor,
    IdempotencyKey,
    Ids,
    Message,
    Operation,
    PageSize,
    UserAccess,
)
from resilience.context import Priority

SERVICE = "transactions"

Description = Annotated[str, msgspec.Meta(max_length=140, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*\Z")]
MetadataKey = Annotated[
    str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.-]+\Z")
]
MetadataValue = (
    Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00]*\Z")]
    | Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]  # exact in every client
    | bool
    | None
)
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=20)]


class TransactionType(StrEnum):
    TRANSFER = "TRANSFER"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    REVERSAL = "REVERSAL"


class TransactionStatus(StrEnum):
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"
    """Completed, and later taken back by the transaction `reversed_by`."""


class Transaction(Answer, frozen=True, kw_only=True):
    """A transaction. `sender_id` is null for deposits, `receiver_id` for withdrawals; a reversal has
    the parties of what it reverses, swapped.

    The names are the last that this service heard of; null where it has heard none yet.
    """

    id: UUID
    type: TransactionType
    status: TransactionStatus
    sender_id: UUID | None
    receiver_id: UUID | None
    sender_name: str | None
    receiver_name: str | None
    initiated_by: UUID
    amount: int
    currency: str
    description: str | None
    metadata: dict[str, str | int | bool | None] | None
    """Null when the caller did not initiate it and is not staff."""
    idempotency_key: str | None
    """Null unless the caller initiated it."""
    failure_reason: str | None
    """Code of the reason, when FAILED; a receiver who did not initiate it does not learn it."""
    reverses: UUID | None
    reversed_by: UUID | None
    created_at: datetime
    processed_at: datetime | None
    version: int


class TransactionAnswer(Answer, frozen=True, kw_only=True):
    """`replayed`: the idempotency key was seen before, and this is its transaction as it is now."""

    transaction: Transaction
    replayed: bool = False


class Create(Message, frozen=True, kw_only=True):
    """A transfer (receiver required), deposit or withdrawal (receiver absent) by the signed-in user."""

    idempotency_key: IdempotencyKey
    type: TransactionType
    receiver_id: UUID | None = None
    amount: Amount
    currency: Currency
    description: Description | None = None
    metadata: Metadata | None = None


class Reverse(Message, frozen=True, kw_only=True):
    """Take a completed transaction back. For staff."""

    idempotency_key: IdempotencyKey
    transaction_id: UUID
    description: Description | None = None


class GetTransactions(Message, frozen=True, kw_only=True):
    ids: Ids


class Transactions(Answer, frozen=True, kw_only=True):
    """One entry per asked id, in that order; null where there is none or the user may not see it."""

    transactions: list[Transaction | None]


class FindTransaction(Message, frozen=True, kw_only=True):
    """By the signed-in user's own idempotency key."""

    idempotency_key: IdempotencyKey


class FoundTransaction(Answer, frozen=True, kw_only=True):
    """Null means "not seen yet", not "will never be": a request may still be on its way."""

    transaction: Transaction | None


class ListTransactions(Message, frozen=True, kw_only=True):
    """A page per user, newest first; only what all given filters admit."""

    user_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=100)]
    first: PageSize = 20
    after: Cursor | None = None
    status: TransactionStatus | None = None
    type: TransactionType | None = None
    since: Instant | None = None
    """Created at or after."""
    until: Instant | None = None
    """Created before."""
    counterparty_id: UUID | None = None


class TransactionPage(Answer, frozen=True, kw_only=True):
    """`next` is the cursor of the following page; null at the end."""

    transactions: list[Transaction]
    next: str | None


class TransactionPages(Answer, frozen=True, kw_only=True):
    """One page per asked user, in that order; null where the caller may not see it."""

    pages: list[TransactionPage | None]


class TransactionSettled(Answer, frozen=True, kw_only=True):
    """Payload of `transaction.completed`, `.failed` and `.reversed`; key is the transaction's id."""

    transaction_id: UUID
    type: TransactionType
    status: TransactionStatus
    sender_id: UUID | None
    receiver_id: UUID | None
    sender_name: str | None
    receiver_name: str | None
    amount: int
    currency: str
    failure_reason: str | None
    reverses: UUID | None


_MONEY_ERRORS = (
    codes.INVALID_AMOUNT,
    codes.UNSUPPORTED_CURRENCY,
    codes.SELF_TRANSFER,
    codes.IDEMPOTENCY_CONFLICT,
    codes.DEPOSIT_DISABLED,
    codes.DEPOSIT_LIMIT,
    codes.OUTCOME_UNKNOWN,
)

CREATE = Operation(
    service=SERVICE,
    name="create",
    path="/v1/transactions/create",
    request=Create,
    response=TransactionAnswer,
    summary="Transfer, deposit or withdraw, once per idempotency key",
    callers=frozenset({"gateway", "baluarte"}),
    user=UserAccess.REQUIRED,
    errors=_MONEY_ERRORS,
    priority=Priority.CRITICAL,
)
REVERSE = Operation(
    service=SERVICE,
    name="reverse",
    path="/v1/transactions/reverse",
    request=Reverse,
    response=TransactionAnswer,
    summary="Take a completed transaction back, once; for staff",
    user=UserAccess.REQUIRED,
    errors=(
        codes.FORBIDDEN,
        codes.TRANSACTION_NOT_FOUND,
        codes.NOT_REVERSIBLE,
        codes.IDEMPOTENCY_CONFLICT,
        codes.OUTCOME_UNKNOWN,
    ),
    priority=Priority.CRITICAL,
)
GET_TRANSACTIONS = Operation(
    service=SERVICE,
    name="get_transactions",
    path="/v1/transactions/get",
    request=GetTransactions,
    response=Transactions,
    summary="Transactions by id: those that the user takes part in, or any for staff",
    reads=True,
    user=UserAccess.REQUIRED,
)
FIND_TRANSACTION = Operation(
    service=SERVICE,
    name="find_transaction",
    path="/v1/transactions/find",
    request=FindTransaction,
    response=FoundTransaction,
    summary="The transaction that the user's idempotency key names",
    reads=True,
    user=UserAccess.REQUIRED,
    priority=Priority.HIGH,
)
LIST_TRANSACTIONS = Operation(
    service=SERVICE,
    name="list_transactions",
    path="/v1/transactions/list",
    request=ListTransactions,
    response=TransactionPages,
    summary="Statements: a filtered page per user",
    reads=True,
    user=UserAccess.REQUIRED,
    errors=(codes.INVALID_INPUT,),
    priority=Priority.LOW,
)

OPERATIONS = (CREATE, REVERSE, GET_TRANSACTIONS, FIND_TRANSACTION, LIST_TRANSACTIONS)
