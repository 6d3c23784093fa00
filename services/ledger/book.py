"""The state that one batch works on, in memory: accounts, transfers and holds, and how money moves.

Pure: it takes what the store has read and locked, and collects what the store must write. Postings are
decided in `posting`, holds in `holds`; both change money through `Book.move` and `Book.refuse` only.
The classes are msgspec structs because a batch makes hundreds: they cost a fifth of dataclasses.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from services.ledger.contract import FailureReason, Posted, PostingStatus


class TransferKind(StrEnum):
    """What a row of `ledger_transfers` came from: a posting of that kind, or a hold's end."""

    TRANSFER = "TRANSFER"
    REVERSAL = "REVERSAL"
    TOMBSTONE = "TOMBSTONE"
    HOLD = "HOLD"


class HoldStatus(StrEnum):
    HELD = "HELD"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


class Account(msgspec.Struct):
    """A locked account. `overdraft` is None for unlimited; `transfer_id` is what changed it last."""

    id: UUID
    owner_id: UUID | None
    currency: str
    balance: int
    held: int
    overdraft: int | None
    active: bool
    version: int
    transfer_id: UUID | None = None
    correlation_id: str = ""

    def can_pay(self, amount: int) -> bool:
        """Whether `amount` more can leave: held money is spoken for."""
        overdraft = self.overdraft
        return overdraft is None or self.balance - self.held - amount >= -overdraft


class Transfer(msgspec.Struct, frozen=True):
    """A transfer with its final status; balances and versions are those right after its legs."""

    id: UUID
    kind: str
    debit: UUID
    credit: UUID
    amount: int
    currency: str
    status: PostingStatus
    reason: FailureReason | None
    reverses: UUID | None
    posted_at: datetime
    debit_balance: int | None = None
    credit_balance: int | None = None
    debit_version: int | None = None
    credit_version: int | None = None

    def outcome(self) -> Posted:
        """What the ledger answers about it, now and whenever it is asked again."""
        return Posted(
            transfer_id=self.id,
            status=self.status,
            reason=self.reason,
            debit_balance=self.debit_balance,
            credit_balance=self.credit_balance,
            posted_at=self.posted_at,
        )


class Hold(msgspec.Struct):
    """Money of `account_id` that is spoken for, to be paid to `credit` under the id `transfer_id`."""

    transfer_id: UUID
    account_id: UUID
    credit: UUID
    amount: int
    currency: str
    status: HoldStatus
    expires_at: datetime


class Book:
    """What a batch found, and what it changes.

    Attributes:
        now: the database's clock at the start of the transaction.
        correlation_id: the request that the next changes are made for; the writer sets it.
        reversed_ids: transfers that a posted reversal has taken back.
        new_transfers: to be inserted, each with its entries if it was posted.
        changed_accounts: to be updated, once each, with their last state.
        changed_holds: to be inserted or updated.
    """

    __slots__ = (
        "accounts",
        "changed_accounts",
        "changed_holds",
        "correlation_id",
        "holds",
        "new_transfers",
        "now",
        "reversed_ids",
        "transfers",
    )

    def __init__(
        self,
        *,
        now: datetime,
        accounts: dict[UUID, Account],
        transfers: dict[UUID, Transfer] | None = None,
        reversed_ids: set[UUID] | None = None,
        holds: dict[UUID, Hold] | None = None,
    ) -> None:
        self.now = now
        self.accounts = accounts
        self.transfers = {} if transfers is None else transfers
        self.reversed_ids = set() if reversed_ids is None else reversed_ids
        self.holds = {} if holds is None else holds
        self.correlation_id = ""
        self.new_transfers: list[Transfer] = []
        self.changed_accounts: dict[UUID, Account] = {}
        self.changed_holds: dict[UUID, Hold] = {}

    @property
    def has_changes(self) -> bool:
        return bool(self.new_transfers or self.changed_holds)

    def impediment(
        self, debit_id: UUID, credit_id: UUID, amount: int, currency: str
    ) -> FailureReason | None:
        """Why `amount` cannot go from one account to the other, if so."""
        debit = self.accounts.get(debit_id)
        credit = self.accounts.get(credit_id)
        if debit is None or credit is None:
            return FailureReason.ACCOUNT_NOT_FOUND
        if debit.currency != currency or credit.currency != currency:
            return FailureReason.CURRENCY_MISMATCH
        if not (debit.active and credit.active):
            return FailureReason.ACCOUNT_INACTIVE
        if not debit.can_pay(amount):
            return FailureReason.INSUFFICIENT_FUNDS
        return None

    def move(
        self,
        transfer_id: UUID,
        kind: str,
        debit_id: UUID,
        credit_id: UUID,
        amount: int,
        currency: str,
        reverses: UUID | None = None,
    ) -> Transfer:
        """Post a transfer: both legs, both balances. Whether it may be is the caller's question."""
        debit = self.accounts[debit_id]
        credit = self.accounts[credit_id]
        debit.balance -= amount
        credit.balance += amount
        self.touch(debit, transfer_id)
        self.touch(credit, transfer_id)
        transfer = Transfer(
            transfer_id,
            kind,
            debit_id,
            credit_id,
            amount,
            currency,
            PostingStatus.POSTED,
            None,
            reverses,
            self.now,
            debit.balance,
            credit.balance,
            debit.version,
            credit.version,
        )
        if reverses is not None:
            self.reversed_ids.add(reverses)
        self.transfers[transfer_id] = transfer
        self.new_transfers.append(transfer)
        return transfer

    def refuse(
        self,
        transfer_id: UUID,
        kind: str,
        debit_id: UUID,
        credit_id: UUID,
        amount: int,
        currency: str,
        reason: FailureReason,
        reverses: UUID | None = None,
    ) -> Transfer:
        """Record that this id has failed, for good; no money moves."""
        transfer = Transfer(
            transfer_id,
            kind,
            debit_id,
            credit_id,
            amount,
            currency,
            PostingStatus.FAILED,
            reason,
            reverses,
            self.now,
        )
        self.transfers[transfer_id] = transfer
        self.new_transfers.append(transfer)
        return transfer

    def put_hold(self, hold: Hold) -> None:
        """Hold the money of a new hold."""
        account = self.accounts[hold.account_id]
        account.held += hold.amount
        self.touch(account, hold.transfer_id)
        self.holds[hold.transfer_id] = hold
        self.changed_holds[hold.transfer_id] = hold

    def release(self, hold: Hold, status: HoldStatus) -> None:
        """Let go of the money of an open hold, which becomes `status`."""
        account = self.accounts[hold.account_id]
        account.held -= hold.amount
        self.touch(account, hold.transfer_id)
        hold.status = status
        self.changed_holds[hold.transfer_id] = hold

    def touch(self, account: Account, transfer_id: UUID) -> None:
        """Note that `account` has changed: a new version, because of `transfer_id`."""
        account.version += 1
        account.transfer_id = transfer_id
        account.correlation_id = self.correlation_id
        self.changed_accounts[account.id] = account
