"""The read model of names: whatever order events come in, the newest version wins."""

import asyncio
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import create_engine, transaction
from services.notifications import store
from tests.services.notifications.conftest import rows

VERSIONS = st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=12)


async def learn_in_order(engine: AsyncEngine, versions: list[int]) -> str:
    """The name that is known after these versions arrived in this order."""
    user_id = uuid4()
    async with transaction(engine) as uow:
        for version in versions:
            await store.learn_name(uow.connection, user_id, f"Name {version}", version)
        names = await store.known_names(uow.connection, [user_id, uuid4()])
        await uow.commit()
    assert list(names) == [user_id]
    return names[user_id]


def test_newest_version_wins(database_url: str) -> None:
    """Late, repeated and reordered events leave the name of the highest version."""

    async def check(versions: list[int]) -> None:
        engine = create_engine(database_url, application_name="names-test")
        try:
            assert await learn_in_order(engine, versions) == f"Name {max(versions)}"
        finally:
            await engine.dispose()

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(versions=VERSIONS)
    def run(versions: list[int]) -> None:
        asyncio.run(check(versions))

    run()


async def test_delivery_counts_do_not_touch_names(engine: AsyncEngine) -> None:
    """A recipient who is known by deliveries alone has no name, and gets one with the first event."""
    user_id = uuid4()
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO recipients (user_id, delivered) VALUES (:id, 5)"), {"id": user_id}
        )
    async with transaction(engine) as uow:
        assert await store.known_names(uow.connection, [user_id]) == {}
        await store.learn_name(uow.connection, user_id, "Ana", 1)
        await uow.commit()
    (row,) = await rows(engine, "SELECT name, name_version, delivered FROM recipients")
    assert tuple(row) == ("Ana", 1, 5)


async def test_nobody_is_asked_for(engine: AsyncEngine) -> None:
    """An empty question costs no statement and has an empty answer."""
    async with transaction(engine) as uow:
        assert await store.known_names(uow.connection, []) == {}
