"""Accounts: opening them, reading them, and switching them on and off. Their money moves elsewhere.

Every function runs on the caller's connection, in the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Uuid

from chassis import codes
from services.ledger.contract import DEFAULT_CURRENCY, Account, account_id_of

CURRENCIES: Final = frozenset({DEFAULT_CURRENCY})
"""Currencies that accounts are kept in. Each needs its `@external` account, which a migration opens."""

_COLUMNS: Final = (
    "id, owner_id, currency, balance, held, overdraft, active, version, now() AS as_of, created_at"
)
# A conflict means that it is open: then it stays as it is.
_OPEN = text(
    "INSERT INTO accounts (id, owner_id, currency, active)"
    " VALUES (:id, :owner_id, :currency, :active) ON CONFLICT DO NOTHING"
)
_GET = text(f"SELECT {_COLUMNS} FROM accounts WHERE owner_id = ANY(:owner_ids)").bindparams(
    bindparam("owner_ids", type_=ARRAY(Uuid))
)
_SET_ACTIVE = text(
    "UPDATE accounts SET active = :active, version = version + 1, updated_at = now()"
    " WHERE owner_id = :owner_id AND active <> :active"
)


async def open_account(
    connection: AsyncConnection,
    owner_id: UUID,
    currency: str = DEFAULT_CURRENCY,
    *,
    active: bool = True,
) -> Account:
    """The account of `owner_id`, opened unless it is open; one that is open stays as it is.

    Raises:
        CodedError: UNSUPPORTED_CURRENCY.
    """
    if currency not in CURRENCIES:
        raise codes.UNSUPPORTED_CURRENCY.error(field="currency")
    await connection.execute(
        _OPEN,
        {
            "id": account_id_of(owner_id),
            "owner_id": owner_id,
            "currency": currency,
            "active": active,
        },
    )
    (account,) = await get_accounts(connection, [owner_id])
    assert account is not None  # noqa: S101 - it was there or has just been written
    return account


async def get_accounts(
    connection: AsyncConnection, owner_ids: Sequence[UUID]
) -> list[Account | None]:
    """The accounts of `owner_ids`, in that order; None where there is none."""
    found = await connection.execute(_GET, {"owner_ids": list(owner_ids)})
    by_owner = {row.owner_id: _account(row) for row in found}
    return [by_owner.get(owner_id) for owner_id in owner_ids]


async def set_active(connection: AsyncConnection, owner_id: UUID, active: bool) -> Account | None:
    """The account of `owner_id` after switching it; None if there is none."""
    await connection.execute(_SET_ACTIVE, {"owner_id": owner_id, "active": active})
    (account,) = await get_accounts(connection, [owner_id])
    return account


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        owner_id=row.owner_id,
        currency=row.currency,
        balance=row.balance,
        held=row.held,
        overdraft=row.overdraft,
        available=row.balance - row.held + row.overdraft,
        active=row.active,
        version=row.version,
        as_of=row.as_of,
        created_at=row.created_at,
    )
