"""`user.balance.updated`: the event of each user account that a batch has changed.

One event per account and batch, with the last balance: a hot account changes hundreds of times in a
batch, and readers only want to know where it stands. System accounts have no reader.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from chassis.messages import USER_BALANCE_UPDATED, USER_EVENTS
from services.ledger.book import Account
from services.ledger.contract import BalanceUpdated


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """`chassis.messages.Event` with its payload in place, so that both are encoded in one go."""

    id: str
    topic: str
    type: str
    key: str
    version: int
    occurred_at: datetime
    correlation_id: str
    data: BalanceUpdated


_ENCODE = msgspec.json.Encoder().encode


def balance_events(
    accounts: Iterable[Account], occurred_at: datetime
) -> tuple[list[str], list[bytes]]:
    """Keys and encoded events of the user accounts among `accounts`."""
    owned = [account for account in accounts if account.owner_id is not None]
    occurred_at = occurred_at.astimezone(UTC)
    random = secrets.token_hex(16 * len(owned))
    keys: list[str] = []
    payloads: list[bytes] = []
    for number, account in enumerate(owned):
        key = str(account.id)
        keys.append(key)
        payloads.append(_encoded(account, key, _uuid4(random, 32 * number), occurred_at))
    return keys, payloads


def _encoded(account: Account, key: str, event_id: str, occurred_at: datetime) -> bytes:
    owner_id: UUID | None = account.owner_id
    assert owner_id is not None  # noqa: S101 - narrowed by the caller
    return _ENCODE(
        _Envelope(
            event_id,
            USER_EVENTS,
            USER_BALANCE_UPDATED,
            key,
            account.version,
            occurred_at,
            account.correlation_id,
            BalanceUpdated(
                account_id=account.id,
                owner_id=owner_id,
                currency=account.currency,
                balance=account.balance,
                held=account.held,
                transfer_id=account.transfer_id,
            ),
        )
    )


def _uuid4(text: str, at: int) -> str:
    """A random UUID from 32 hexadecimal digits of `text`: one read of randomness serves a batch."""
    return (
        f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-4{text[at + 13 : at + 16]}"
        f"-a{text[at + 17 : at + 20]}-{text[at + 20 : at + 32]}"
    )
