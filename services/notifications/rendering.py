"""What each recipient of an event is told. Pure: an event and the known names in, texts out."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from chassis import messages
from services.notifications.money import written
from services.transactions.contract import TransactionSettled, TransactionType
from services.users.contract import BankingDetailsUpdated, UserRegistered

Names = Mapping[UUID, str]
"""The newest known name of each user; those not heard of yet are missing."""

SHOWN_DIGITS = 4
"""How much of an account number a notice shows: enough to recognise, too little to use."""

_REASONS = {
    "INSUFFICIENT_FUNDS": "the available balance is too small",
    "ACCOUNT_NOT_FOUND": "an account was not found",
    "ACCOUNT_INACTIVE": "an account is deactivated",
    "CURRENCY_MISMATCH": "the account is kept in another currency",
    "TRANSFER_ABANDONED": "it could not be carried out in time",
}
_OTHER_REASON = "it could not be carried out"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text for one recipient."""

    user_id: UUID
    title: str
    body: str
    transaction_id: UUID | None = None


def welcome(data: UserRegistered) -> list[Rendered]:
    """To a new customer."""
    body = f"Welcome, {data.name}. Your account is being opened and will be ready in a moment."
    return [Rendered(data.user_id, "Welcome to Baluarte", body)]


def banking_details_changed(data: BankingDetailsUpdated) -> list[Rendered]:
    """A security notice: whoever did not do this must hear of it."""
    ending = data.account_number[-SHOWN_DIGITS:]
    body = (
        f"Your banking details now name agency {data.agency} and the account ending in {ending}. "
        "If this was not you, contact the bank at once."
    )
    return [Rendered(data.user_id, "Your banking details were changed", body)]


def transaction(type_: str, data: TransactionSettled, names: Names) -> list[Rendered]:
    """To everybody whom the outcome of a transaction concerns; each their own text."""
    if type_ == messages.TRANSACTION_COMPLETED:
        return _completed(data, names)
    if type_ == messages.TRANSACTION_FAILED:
        return _failed(data)
    if type_ == messages.TRANSACTION_REVERSED:
        return _reversed(data)
    raise ValueError(f"{type_} tells of no outcome of a transaction")


def _completed(data: TransactionSettled, names: Names) -> list[Rendered]:
    amount = written(data.amount, data.currency)
    match data.type:
        case TransactionType.DEPOSIT:
            return _to(data, data.receiver_id, "Deposit received", f"You deposited {amount}.")
        case TransactionType.WITHDRAWAL:
            return _to(data, data.sender_id, "Withdrawal made", f"You withdrew {amount}.")
        case TransactionType.REVERSAL:
            return []  # the event of the reversed transaction tells of it
    to = _name(data.receiver_id, data.receiver_name, names)
    by = _name(data.sender_id, data.sender_name, names)
    return [
        *_to(data, data.sender_id, "Transfer sent", f"You sent {amount} to {to}."),
        *_to(data, data.receiver_id, "Transfer received", f"You received {amount} from {by}."),
    ]


def _failed(data: TransactionSettled) -> list[Rendered]:
    """To whoever asked for it: the sender, or of a deposit the receiver. Staff see theirs fail."""
    if data.type is TransactionType.REVERSAL:
        return []
    deposit = data.type is TransactionType.DEPOSIT
    initiator = data.receiver_id if deposit else data.sender_id
    what = data.type.value.capitalize()
    reason = _REASONS.get(data.failure_reason or "", _OTHER_REASON)
    amount = written(data.amount, data.currency)
    body = f"Your {what.lower()} of {amount} failed: {reason}. No money moved."
    return _to(data, initiator, f"{what} failed", body)


def _reversed(data: TransactionSettled) -> list[Rendered]:
    """To both sides of the transaction that was taken back; the sender got the money again."""
    what = data.type.value.lower()
    amount = written(data.amount, data.currency)
    back = f"The {what} of {amount} was reversed; the money is back in your account."
    gone = f"The {what} of {amount} was reversed; the money was taken from your account."
    title = f"{what.capitalize()} reversed"
    return [*_to(data, data.sender_id, title, back), *_to(data, data.receiver_id, title, gone)]


def _to(data: TransactionSettled, user_id: UUID | None, title: str, body: str) -> list[Rendered]:
    if user_id is None:
        return []
    return [Rendered(user_id, title, body, data.transaction_id)]


def _name(user_id: UUID | None, told: str | None, names: Names) -> str:
    """The newest name that we know, else the one that the event brought."""
    known = names.get(user_id) if user_id is not None else None
    return known or told or "another customer"
