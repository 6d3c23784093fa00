"""The migrations and the metadata describe the same database."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from services.users.schema import metadata


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
