"""Expired sessions are forgotten in batches; live ones never."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.context import Call
from chassis.database import transaction
from services.users import session_store
from services.users.contract import Refresh, Register
from services.users.sessions import Sessions

CALL = Call.background("gateway")


async def prune(engine: AsyncEngine, limit: int = 100) -> int:
    async with transaction(engine) as uow:
        done = await session_store.prune(uow.connection, limit=limit, keep=timedelta(days=1))
        await uow.commit()
    return done


async def expire(engine: AsyncEngine, days: int, where: str = "true") -> None:
    async with engine.begin() as connection:
        for table in ("refresh_tokens", "refresh_families"):
            await connection.execute(
                text(
                    f"UPDATE {table} SET expires_at = clock_timestamp() - make_interval(days => :d)"
                    f" WHERE {where}"
                ),
                {"d": days},
            )


async def left(engine: AsyncEngine) -> tuple[int, int]:
    async with engine.connect() as connection:
        counts = [
            (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            for table in ("refresh_tokens", "refresh_families")
        ]
    return counts[0], counts[1]


async def test_only_what_expired_long_ago_goes(sessions: Sessions, engine: AsyncEngine) -> None:
    """A token that expired within the day is kept, an older one goes with its family."""
    await sessions.register(
        CALL, Register(email="ana@example.com", password="0123456789", name="Ana")
    )
    assert await prune(engine) == 0
    await expire(engine, days=0)
    assert await prune(engine) == 0
    await expire(engine, days=2)
    assert await prune(engine) == 2
    assert await left(engine) == (0, 0)


async def test_batches_are_bounded(sessions: Sessions, engine: AsyncEngine) -> None:
    """One pass deletes no more than its bound, and passes come to an end."""
    session = await sessions.register(
        CALL, Register(email="ana@example.com", password="0123456789", name="Ana")
    )
    for _ in range(4):
        session = await sessions.refresh(CALL, Refresh(refresh_token=session.refresh_token))
    await expire(engine, days=2)
    assert await prune(engine, limit=2) <= 4
    while await prune(engine, limit=2):
        pass
    assert await left(engine) == (0, 0)


async def test_used_tokens_of_a_live_session_stay(sessions: Sessions, engine: AsyncEngine) -> None:
    """Used tokens are kept while they could still be presented: that is how a theft is noticed."""
    first = await sessions.register(
        CALL, Register(email="ana@example.com", password="0123456789", name="Ana")
    )
    await sessions.refresh(CALL, Refresh(refresh_token=first.refresh_token))
    assert await prune(engine) == 0
    assert await left(engine) == (2, 1)
