"""The migrated database: equal to the metadata, append-only where it says so, and never in the red."""

from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from asyncpg.exceptions import CheckViolationError, RestrictViolationError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from baluarte import databases
from chassis.database import create_engine
from services.ledger import locks, store
from services.ledger.contract import DEFAULT_CURRENCY, external_account
from services.ledger.schema import metadata
from tests.conftest import CreateDatabase
from tests.services.ledger.conftest import EXTERNAL, Bank, transfer


async def test_metadata_equals_migrated_database(engine: AsyncEngine) -> None:
    """A migrated database has exactly the tables, columns, indexes and constraints of the metadata."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_name": _known},
        )
        found: list[Any] = compare_metadata(context, metadata)
        return found

    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []


def _known(name: str | None, kind: str, _: Any) -> bool:
    return not (kind == "table" and name == "alembic_version")


DEFINITIONS = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND conrelid <> 0",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT relname, reloptions::text FROM pg_class WHERE relkind = 'r' AND relname !~ '^(pg|sql)_'"
    " AND relname <> 'outbox' AND relname <> 'inbox'",
)


async def test_constraints_and_indexes_are_defined_alike(
    bank: Bank, create_database: CreateDatabase
) -> None:
    """What autogenerate does not compare: checks, index predicates and storage, word for word."""
    url = await create_database("ledger-metadata")
    fresh = create_engine(url, application_name="ledger-test")
    async with fresh.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await fresh.dispose()

    async with databases.connection(url, ssl=False) as described:
        for query in DEFINITIONS:
            built = {tuple(row) for row in await described.fetch(query)}
            migrated = {tuple(row) for row in await bank.sql.fetch(query)}
            assert {row for row in migrated if "alembic_version" not in str(row)} == built


@pytest.mark.parametrize("table", ["ledger_transfers", "entries"])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET amount = amount + 1", "DELETE FROM {}", "TRUNCATE {}"]
)
async def test_what_was_posted_cannot_be_changed(bank: Bank, table: str, change: str) -> None:
    """UPDATE, DELETE and TRUNCATE of transfers and entries are refused, even when they match no row."""
    with pytest.raises(RestrictViolationError, match="append-only"):
        await bank.sql.execute(change.format(table))


async def test_the_database_itself_refuses_overspending(bank: Bank) -> None:
    """Whatever code may come: a balance below what is held and allowed does not get in."""
    alice = await bank.open(100, overdraft=50)

    for change in ("balance = -51", "held = 151", "held = -1", "overdraft = NULL"):
        with pytest.raises(CheckViolationError):
            await bank.sql.execute(f"UPDATE accounts SET {change} WHERE id = $1", alice)


async def test_the_outside_world_is_there_from_the_start(bank: Bank) -> None:
    """The migration has opened `@external/BRL` under the id that the contract computes."""
    row = await bank.sql.fetchrow("SELECT * FROM accounts WHERE name = '@external/BRL'")

    assert row["id"] == external_account(DEFAULT_CURRENCY)
    assert (row["overdraft"], row["owner_id"], row["active"]) == (None, None, True)


async def test_the_writer_never_scans(bank: Bank) -> None:
    """Though planned on empty tables without statistics, every statement of a batch goes by key."""

    plans = []
    looked = locks.ANY_KNOWN.replace("$2", "$1")
    for sql in (locks.ACCOUNTS_BY_ID, looked, store.FIND, store.FIND_REVERSED):
        async with bank.sql.transaction():
            await bank.sql.execute(store.SETTINGS.replace("SET ", "SET LOCAL "))
            await bank.sql.execute(f"PREPARE looked AS {sql}")
            rows = await bank.sql.fetch(f"EXPLAIN EXECUTE looked (ARRAY['{uuid4()}'::uuid])")
            plans += [row[0] for row in rows]
            await bank.sql.execute("DEALLOCATE looked")

    assert not [line for line in plans if "Seq Scan" in line]


async def test_system_accounts_and_users_accounts_are_told_apart(bank: Bank) -> None:
    """An account has an owner or a name, never both and never neither."""
    for owner, name in ((uuid4(), "@odd/BRL"), (None, None)):
        with pytest.raises(CheckViolationError):
            await bank.sql.execute(
                "INSERT INTO accounts (id, owner_id, name, currency) VALUES ($1, $2, $3, 'BRL')",
                uuid4(),
                owner,
                name,
            )
    await bank.post(transfer(EXTERNAL, await bank.open(), 1))
