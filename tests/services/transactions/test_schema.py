"""The migrations and the metadata describe the same database, and the database keeps its rules."""

from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from services.transactions.schema import metadata
from tests.services.transactions.conftest import Bank


async def test_metadata_equals_migrated_database(bank: Bank) -> None:
    """A migrated database has exactly the tables, columns, indexes and constraints of the metadata."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_name": _known},
        )
        found: list[Any] = compare_metadata(context, metadata)
        return found

    async with bank.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


def _known(name: str | None, kind: str, _: Any) -> bool:
    return not (kind == "table" and name == "alembic_version")


GOOD: dict[str, str] = {
    "id": "gen_random_uuid()",
    "type": "'TRANSFER'",
    "sender_id": "gen_random_uuid()",
    "receiver_id": "gen_random_uuid()",
    "initiated_by": "gen_random_uuid()",
    "amount": "1",
    "currency": "'BRL'",
    "idempotency_key": "'some-key'",
    "correlation_id": "'correlation'",
    "deadline_at": "now()",
    "next_attempt_at": "now()",
}


async def insert(bank: Bank, changes: dict[str, str]) -> None:
    fields = GOOD | changes
    await bank.execute(
        f"INSERT INTO transactions ({', '.join(fields)}) VALUES ({', '.join(fields.values())})"
    )


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"amount": "0"}, "transactions_amount"),
        ({"currency": "'brl'"}, "transactions_currency"),
        ({"type": "'GIFT'"}, "transactions_type"),
        (
            {"status": "'LOST'", "processed_at": "now()", "next_attempt_at": "NULL"},
            "transactions_status",
        ),
        ({"receiver_id": "NULL"}, "transactions_parties"),
        ({"type": "'DEPOSIT'"}, "transactions_parties"),
        ({"type": "'WITHDRAWAL'"}, "transactions_parties"),
        ({"type": "'REVERSAL'"}, "transactions_reverses"),
        ({"reverses": "gen_random_uuid()"}, "transactions_reverses"),
        ({"reversed_by": "gen_random_uuid()"}, "transactions_reversed_by"),
        ({"failure_reason": "'X'"}, "transactions_failure_reason"),
        ({"processed_at": "now()"}, "transactions_processed_at"),
        ({"next_attempt_at": "NULL"}, "transactions_next_attempt_at"),
    ],
)
async def test_impossible_rows(bank: Bank, changes: dict[str, str], constraint: str) -> None:
    """The database itself refuses a transaction that cannot be."""
    await insert(bank, {})
    with pytest.raises(IntegrityError, match=constraint):
        await insert(bank, changes)


async def test_a_transfer_to_oneself_cannot_be_stored(bank: Bank) -> None:
    """Sender and receiver differ, whatever the code above thinks."""
    someone = f"'{uuid4()}'"
    with pytest.raises(IntegrityError, match="transactions_parties"):
        await insert(bank, {"sender_id": someone, "receiver_id": someone})


async def test_one_reversal_per_transaction(bank: Bank) -> None:
    """A transaction has at most one reversal, whatever the reversal's id."""
    original = f"'{uuid4()}'"
    reversal = {"type": "'REVERSAL'", "reverses": original}
    await insert(bank, reversal)
    with pytest.raises(IntegrityError, match="transactions_reverses_key"):
        await insert(bank, reversal)
