"""The messaging tables: what the frozen SQL makes is what the metadata say."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from chassis.database import create_engine, transaction
from chassis.ddl import BUS_V1, BUS_V2, INBOX_V1, OUTBOX_V1, bus_tables, inbox_table, outbox_table
from tests.conftest import CreateDatabase


@pytest.mark.may_block
async def test_frozen_sql_and_metadata_agree(create_database: CreateDatabase) -> None:
    """A database made by the frozen SQL differs in nothing from the metadata."""
    metadata = MetaData()
    outbox_table(metadata)
    inbox_table(metadata)
    bus_tables(metadata)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    engine = create_engine(await create_database("ddl"), application_name="test")
    async with transaction(engine) as uow:
        for statement in (OUTBOX_V1, INBOX_V1, BUS_V1, BUS_V2):
            await uow.connection.execute(text(statement))
        assert await uow.connection.run_sync(differences) == []
    await engine.dispose()
