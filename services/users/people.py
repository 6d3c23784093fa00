"""A user as a value, and the statements that read and write one. The caller holds the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, and_, any_, bindparam, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.users import emails
from services.users.contract import AccountType, BankingDetails, Profile, Role
from services.users.schema import users

EMAIL_CONSTRAINT = "users_email_key"
BANK_ACCOUNT_CONSTRAINT = "users_bank_account_key"

_COLUMNS = [column for column in users.c if column.name not in {"email_key", "password_hash"}]


@dataclass(frozen=True, slots=True)
class Person:
    """A user without credentials."""

    id: UUID
    email: str
    name: str
    address: str | None
    picture_url: str | None
    banking_details: BankingDetails | None
    role: Role
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime

    def profile(self) -> Profile:
        """As the owner and staff see it."""
        return Profile(
            id=self.id,
            email=self.email,
            name=self.name,
            address=self.address,
            picture_url=self.picture_url,
            banking_details=self.banking_details,
            role=self.role,
            active=self.active,
            version=self.version,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


@dataclass(frozen=True, slots=True)
class NewPerson:
    """What is needed to make a user."""

    id: UUID
    email: str
    name: str
    password_hash: str
    address: str | None = None
    picture_url: str | None = None
    role: Role = Role.CUSTOMER
    banking_details: BankingDetails | None = None


async def add(connection: AsyncConnection, new: NewPerson) -> Person | None:
    """Insert a user; None when the e-mail address belongs to somebody."""
    banking = new.banking_details
    statement = (
        insert(users)
        .values(
            id=new.id,
            email=emails.as_stored(new.email),
            email_key=emails.key_of(new.email),
            name=new.name,
            address=new.address or None,
            picture_url=new.picture_url,
            role=new.role.value,
            password_hash=new.password_hash,
            **(bank_columns(banking) if banking else {}),
        )
        .on_conflict_do_nothing(constraint=EMAIL_CONSTRAINT)
        .returning(*_COLUMNS)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _person(row)


async def by_ids(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Person]:
    """Those of `ids` that exist."""
    # One array and not a list of parameters: one prepared statement for every number of ids.
    wanted = bindparam("ids", list(ids), type_=ARRAY(Uuid))
    statement = select(*_COLUMNS).where(users.c.id == any_(wanted))
    return {row.id: _person(row) for row in await connection.execute(statement)}


async def by_email(connection: AsyncConnection, email: str) -> tuple[Person, str] | None:
    """The user with that address regardless of case, and the password hash."""
    statement = select(*_COLUMNS, users.c.password_hash).where(
        users.c.email_key == emails.key_of(email)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else (_person(row), row.password_hash)


async def locked(connection: AsyncConnection, user_id: UUID) -> Person | None:
    """The user, locked for a change."""
    statement = select(*_COLUMNS).where(users.c.id == user_id)
    row = (await connection.execute(statement.with_for_update(key_share=True))).one_or_none()
    return None if row is None else _person(row)


async def held(connection: AsyncConnection, user_id: UUID) -> Person | None:
    """The user, who cannot be changed by others until this transaction ends (sharing with readers)."""
    statement = select(*_COLUMNS).where(users.c.id == user_id).with_for_update(read=True)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _person(row)


async def change(connection: AsyncConnection, user_id: UUID, values: Mapping[str, Any]) -> Person:
    """Write `values` (column → value) into a locked user and raise its version."""
    statement = (
        update(users)
        .where(users.c.id == user_id)
        .values(**values, version=users.c.version + 1, updated_at=func.clock_timestamp())
        .returning(*_COLUMNS)
    )
    return _person((await connection.execute(statement)).one())


async def set_password_hash(
    connection: AsyncConnection, user_id: UUID, *, old: str, new: str
) -> None:
    """Replace the password hash unless it has changed meanwhile. Not a change of the profile."""
    await connection.execute(
        update(users)
        .where(users.c.id == user_id, users.c.password_hash == old)
        .values(password_hash=new)
    )


async def page(
    connection: AsyncConnection,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None,
    search: str | None,
) -> list[Person]:
    """Up to `limit` users, newest first, after the row that `after` names."""
    conditions = []
    if after is not None:
        conditions.append(tuple_(users.c.created_at, users.c.id) < tuple_(*after))
    if search is not None:
        conditions.append(
            or_(
                users.c.name.icontains(search, autoescape=True),
                users.c.email_key.contains(emails.key_of(search), autoescape=True),
            )
        )
    statement = (
        select(*_COLUMNS)
        .where(and_(True, *conditions))
        .order_by(users.c.created_at.desc(), users.c.id.desc())
        .limit(limit)
    )
    return [_person(row) for row in await connection.execute(statement)]


def email_columns(email: str) -> dict[str, str]:
    """The columns that an e-mail address fills."""
    return {"email": emails.as_stored(email), "email_key": emails.key_of(email)}


def bank_columns(details: BankingDetails) -> dict[str, str]:
    """The columns that banking details fill."""
    # The check digit X is one digit, however it is typed.
    return {
        "agency": details.agency.upper(),
        "account_number": details.account_number.upper(),
        "account_type": details.account_type.value,
    }


def _person(row: Any) -> Person:
    banking = None
    if row.agency is not None:
        banking = BankingDetails(
            agency=row.agency,
            account_number=row.account_number,
            account_type=AccountType(row.account_type),
        )
    return Person(
        id=row.id,
        email=row.email,
        name=row.name,
        address=row.address,
        picture_url=row.picture_url,
        banking_details=banking,
        role=Role(row.role),
        active=row.active,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
