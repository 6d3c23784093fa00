"""What the ledger does for others: accounts and postings. Structs and operations only, no I/O.

Amounts are integers in minor units (centavos). The ledger knows transfer ids and accounts; it knows
neither clients' idempotency keys nor people's names.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid5

import msgspec

from chassis import codes
from chassis.contract import (
    Amount,
    Answer,
    Currency,
    Ids,
    Message,
    Operation,
    UserAccess,
)
from resilience.context import Priority

SERVICE = "ledger"
DEFAULT_CURRENCY = "BRL"
POSTING_LIMIT = 256
"""Most postings in one request: one group commit."""

EXTERNAL_NAMESPACE = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")


def account_id_of(user_id: UUID) -> UUID:
    """The account of a user: deterministic, so that nobody needs to look it up."""
    return uuid5(user_id, "account")


def external_account(currency: str) -> UUID:
    """The system account that stands for the world outside, one per currency."""
    return uuid5(EXTERNAL_NAMESPACE, f"@external/{currency}")


def reversal_id_of(transfer_id: UUID) -> UUID:
    """The id of the one reversal that a transfer can have."""
    return uuid5(transfer_id, "reversal")


class Account(Answer, frozen=True, kw_only=True):
    """An account as of `as_of` (the ledger database's clock). `available` = balance − held + overdraft."""

    id: UUID
    owner_id: UUID | None
    currency: str
    balance: int
    held: int
    overdraft: int
    available: int
    active: bool
    version: int
    as_of: datetime
    created_at: datetime


class OpenAccount(Message, frozen=True, kw_only=True):
    """Open the account of `owner_id`; opening it again changes nothing and answers it as it is."""

    owner_id: UUID
    currency: Currency = DEFAULT_CURRENCY


class AccountAnswer(Answer, frozen=True, kw_only=True):
    account: Account


class GetAccounts(Message, frozen=True, kw_only=True):
    """Accounts by their owners."""

    owner_ids: Ids


class Accounts(Answer, frozen=True, kw_only=True):
    """One entry per asked owner, in that order; null where there is none or the user may not see it."""

    accounts: list[Account | None]


class PostingKind(StrEnum):
    TRANSFER = "TRANSFER"
    REVERSAL = "REVERSAL"
    TOMBSTONE = "TOMBSTONE"
    """Refuses the id for ever unless it was posted before, in which case that outcome is answered."""


class PostingStatus(StrEnum):
    POSTED = "POSTED"
    FAILED = "FAILED"


class FailureReason(StrEnum):
    """Why the ledger refused; sticky per transfer id. The names are error codes."""

    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    ACCOUNT_INACTIVE = "ACCOUNT_INACTIVE"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    TRANSFER_ABANDONED = "TRANSFER_ABANDONED"
    NOT_REVERSIBLE = "NOT_REVERSIBLE"


class Posting(Message, frozen=True, kw_only=True):
    """Move `amount` from `debit` to `credit` under the id `transfer_id`.

    A REVERSAL names the transfer that it takes back in `reverses`; its legs are that transfer's, swapped.
    """

    transfer_id: UUID
    kind: PostingKind
    debit: UUID
    credit: UUID
    amount: Amount
    currency: Currency
    reverses: UUID | None = None


class Posted(Answer, frozen=True, kw_only=True):
    """The definite outcome of one posting."""

    transfer_id: UUID
    status: PostingStatus
    reason: FailureReason | None
    debit_balance: int | None
    """Balance of the debited account right after this posting; null when it failed."""
    credit_balance: int | None
    posted_at: datetime


class PostTransfers(Message, frozen=True, kw_only=True):
    postings: Annotated[list[Posting], msgspec.Meta(min_length=1, max_length=POSTING_LIMIT)]


class PostingResult(Answer, frozen=True, kw_only=True):
    """One posting's result: either `posted`, or the code of the error that stopped this item alone.

    `error` is TRANSFER_MISMATCH (definite: this id, or the transfer to reverse, exists with other
    fields), SELF_TRANSFER or INVALID_INPUT (the posting makes no sense; the id stays free),
    OUTCOME_UNKNOWN (send it again), UNAVAILABLE or INTERNAL (not done).
    """

    transfer_id: UUID
    posted: Posted | None
    error: str | None = None


class PostingResults(Answer, frozen=True, kw_only=True):
    """One result per posting, in the order asked."""

    results: Annotated[list[PostingResult], msgspec.Meta(max_length=POSTING_LIMIT)]


class SetAccountActive(Message, frozen=True, kw_only=True):
    owner_id: UUID
    active: bool


class BalanceUpdated(Answer, frozen=True, kw_only=True):
    """Payload of `user.balance.updated`; key and aggregate are the account's id."""

    account_id: UUID
    owner_id: UUID
    currency: str
    balance: int
    held: int
    transfer_id: UUID | None


OPEN_ACCOUNT = Operation(
    service=SERVICE,
    name="open_account",
    path="/v1/accounts/open",
    request=OpenAccount,
    response=AccountAnswer,
    summary="Open the account of a user, once",
    callers=frozenset({"users", "baluarte"}),
    errors=(codes.UNSUPPORTED_CURRENCY,),
    priority=Priority.HIGH,
)
GET_ACCOUNTS = Operation(
    service=SERVICE,
    name="get_accounts",
    path="/v1/accounts/get",
    request=GetAccounts,
    response=Accounts,
    summary="Accounts by owner: one's own, or any for staff and for named services",
    reads=True,
    callers=frozenset({"gateway", "transactions", "baluarte"}),
    user=UserAccess.OPTIONAL,
    priority=Priority.HIGH,
)
SET_ACCOUNT_ACTIVE = Operation(
    service=SERVICE,
    name="set_account_active",
    path="/v1/accounts/set-active",
    request=SetAccountActive,
    response=AccountAnswer,
    summary="Activate or deactivate an account",
    callers=frozenset({"users", "baluarte"}),
    errors=(codes.ACCOUNT_NOT_FOUND,),
    priority=Priority.HIGH,
)
POST_TRANSFERS = Operation(
    service=SERVICE,
    name="post_transfers",
    path="/v1/postings/post",
    request=PostTransfers,
    response=PostingResults,
    summary="Post transfers; each item stands alone; the same id twice posts once",
    callers=frozenset({"transactions"}),
    errors=(codes.OUTCOME_UNKNOWN,),
    priority=Priority.CRITICAL,
)

OPERATIONS = (OPEN_ACCOUNT, GET_ACCOUNTS, SET_ACCOUNT_ACTIVE, POST_TRANSFERS)
