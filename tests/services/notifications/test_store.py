"""The history is kept as long as told, and forgotten in batches."""

from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import messages
from chassis.database import transaction
from services.notifications import store
from services.users.contract import UserRegistered
from tests.services.notifications.conftest import event, rows, take_in


async def test_old_notifications_go_with_their_deliveries(engine: AsyncEngine) -> None:
    """What is older than the bound goes, a batch at a time; what is younger stays."""
    for _ in range(4):
        data = UserRegistered(user_id=uuid4(), name="Ana", active=True)
        await take_in(engine, event(data, messages.USER_REGISTERED))
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE notifications SET created_at = created_at - interval '11 days'"
                " WHERE id IN (SELECT id FROM notifications LIMIT 3)"
            )
        )
    done = []
    for _ in range(3):
        async with transaction(engine) as uow:
            done.append(await store.prune(uow.connection, days=10, limit=2))
            await uow.commit()
    assert done == [2, 1, 0]
    assert len(await rows(engine, "SELECT 1 FROM notifications")) == 1
    assert len(await rows(engine, "SELECT 1 FROM deliveries")) == 1
