"""Statements on users, on a real database."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import StatementRejected, UniqueViolation, transaction
from services.users import people
from services.users.contract import AccountType, BankingDetails, Role
from services.users.people import NewPerson, Person

DETAILS = BankingDetails(agency="1234-x", account_number="567-x", account_type=AccountType.SAVINGS)


async def add(engine: AsyncEngine, email: str, name: str = "Ana", **more: object) -> Person | None:
    new = NewPerson(id=uuid4(), email=email, name=name, password_hash="none", **more)  # type: ignore[arg-type]
    async with transaction(engine) as uow:
        person = await people.add(uow.connection, new)
        await uow.commit()
    return person


async def test_new_person(engine: AsyncEngine) -> None:
    """A new user begins with version 1, active, a customer, and equal times."""
    ana = await add(engine, "Ana@Example.com", address="")
    assert ana is not None
    assert (ana.email, ana.version, ana.active, ana.role) == (
        "Ana@Example.com",
        1,
        True,
        Role.CUSTOMER,
    )
    assert ana.address is None
    assert abs((ana.updated_at - ana.created_at).total_seconds()) < 1


async def test_taken_address_adds_nobody(engine: AsyncEngine) -> None:
    """Adding a user with a known address answers None and leaves the first as it is."""
    await add(engine, "ana@example.com")
    assert await add(engine, "ANA@example.com", "Eve") is None
    async with transaction(engine) as uow:
        found = await people.by_email(uow.connection, "aNa@example.com")
    assert found is not None
    assert found[0].name == "Ana"


async def test_check_digits_are_one_character(engine: AsyncEngine) -> None:
    """A check digit X is the same account in either case."""
    first = await add(engine, "a@example.com", banking_details=DETAILS)
    assert first is not None
    assert first.banking_details == BankingDetails(
        agency="1234-X", account_number="567-X", account_type=AccountType.SAVINGS
    )
    same = BankingDetails(
        agency="1234-X", account_number="567-X", account_type=AccountType.CHECKING
    )
    with pytest.raises(UniqueViolation) as caught:
        await add(engine, "b@example.com", banking_details=same)
    assert caught.value.constraint == people.BANK_ACCOUNT_CONSTRAINT


async def test_by_ids(engine: AsyncEngine) -> None:
    """Those that exist are found, each once; an empty question has an empty answer."""
    ana = await add(engine, "ana@example.com")
    assert ana is not None
    async with transaction(engine) as uow:
        assert await people.by_ids(uow.connection, [ana.id, uuid4(), ana.id]) == {ana.id: ana}
        assert await people.by_ids(uow.connection, []) == {}


async def test_page_breaks_ties_by_id(engine: AsyncEngine) -> None:
    """Users made at the same instant are paged over without loss or repetition."""
    for number in range(7):
        await add(engine, f"u{number}@example.com")
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE users SET created_at = :at"), {"at": datetime(2026, 1, 1, tzinfo=UTC)}
        )
    seen: list[UUID] = []
    after: tuple[datetime, UUID] | None = None
    async with transaction(engine) as uow:
        while rows := await people.page(uow.connection, limit=2, after=after, search=None):
            seen += [row.id for row in rows]
            after = (rows[-1].created_at, rows[-1].id)
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7


async def test_change_raises_the_version(engine: AsyncEngine) -> None:
    """Each change raises version and time, and touches one user only."""
    ana, bento = await add(engine, "a@example.com"), await add(engine, "b@example.com", "Bento")
    assert ana is not None
    assert bento is not None
    async with transaction(engine) as uow:
        await people.locked(uow.connection, ana.id)
        changed = await people.change(uow.connection, ana.id, {"name": "Ana Maria"})
        await uow.commit()
    assert (changed.name, changed.version) == ("Ana Maria", 2)
    assert changed.updated_at > ana.updated_at
    async with transaction(engine) as uow:
        assert (await people.by_ids(uow.connection, [bento.id]))[bento.id] == bento


async def test_hash_is_replaced_only_if_it_is_the_one_seen(engine: AsyncEngine) -> None:
    """A password hash that changed meanwhile is not overwritten by an older login's."""
    ana = await add(engine, "a@example.com")
    assert ana is not None
    async with transaction(engine) as uow:
        await people.set_password_hash(uow.connection, ana.id, old="other", new="wrong")
        await people.set_password_hash(uow.connection, ana.id, old="none", new="right")
        await uow.commit()
    async with transaction(engine) as uow:
        found = await people.by_email(uow.connection, "a@example.com")
    assert found is not None
    assert found[1] == "right"
    assert found[0].version == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET role = 'god'",
        "UPDATE users SET agency = '1234'",
        "UPDATE users SET version = 0",
        "UPDATE users SET email_key = NULL",
    ],
)
async def test_database_refuses_what_cannot_be(engine: AsyncEngine, statement: str) -> None:
    """Unknown roles, half a bank account and impossible versions are refused by the database itself."""
    await add(engine, "a@example.com")
    with pytest.raises(StatementRejected):
        async with transaction(engine) as uow:
            await uow.connection.execute(text(statement))
            await uow.commit()


async def test_nobody(engine: AsyncEngine) -> None:
    """What does not exist is None, for every way to look."""
    async with transaction(engine) as uow:
        assert await people.locked(uow.connection, uuid4()) is None
        assert await people.held(uow.connection, uuid4()) is None
        assert await people.by_email(uow.connection, "nobody@example.com") is None
