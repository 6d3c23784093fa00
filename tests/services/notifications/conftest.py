"""The notifications service as its tests need it: a migrated database and events at hand."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import create_engine, transaction
from chassis.messages import Event
from services.notifications.intake import Intake
from tests import servers
from tests.conftest import CreateDatabase
from tests.services import templates


@pytest.fixture(scope="session")
def template(postgres_server: servers.PostgresServer) -> Iterator[str]:
    """Name of a migrated notifications database to copy from."""
    with templates.migrated(postgres_server, "notifications") as name:
        yield name


@pytest.fixture
async def database_url(create_database: CreateDatabase, template: str) -> str:
    """A migrated notifications database."""
    return await create_database("notifications", template=template)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections to the notifications database."""
    engine = create_engine(database_url, application_name="notifications-test")
    yield engine
    await engine.dispose()


def event(
    data: msgspec.Struct,
    type_: str,
    *,
    topic: str = "user-events",
    key: UUID | None = None,
    version: int = 1,
) -> Event:
    """An event as a producer makes it."""
    return Event.of(
        data,
        topic=topic,
        type=type_,
        key=key or uuid4(),
        version=version,
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
        correlation_id="0123456789abcdef",
    )


async def take_in(
    engine: AsyncEngine, *events: Event, channels: tuple[str, ...] = ("log",)
) -> None:
    """Handle events as the inbox worker does: a transaction each."""
    handlers = Intake(channels).handlers()
    for item in events:
        async with transaction(engine) as uow:
            await handlers[item.type](uow.connection, item)
            await uow.commit()


async def rows(engine: AsyncEngine, statement: str) -> list[Any]:
    """The rows that `statement` gives."""
    async with engine.connect() as connection:
        return list((await connection.execute(text(statement))).all())
