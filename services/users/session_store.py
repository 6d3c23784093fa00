"""Statements on refresh families and tokens. The caller holds the transaction.

Locks are always taken in this order: the user's row, the family's row, its tokens.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import ColumnElement

from services.users import families
from services.users.families import EndReason, PresentedToken, TokenState
from services.users.schema import refresh_families, refresh_tokens

_FAMILY = refresh_families.c
_TOKEN = refresh_tokens.c


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a refresh token is."""

    family_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Opened:
    """A refresh token was stored: the database's time then, and when the token ends."""

    now: datetime
    expires_at: datetime


async def database_time(connection: AsyncConnection) -> datetime:
    """The database's clock at this moment (not at the start of the transaction)."""
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def open_family(
    connection: AsyncConnection, family_id: UUID, user_id: UUID, token_hash: bytes
) -> Opened:
    """Begin a session with its first token. The user's row is held by the caller.

    Holding it keeps a deactivation from missing a family that is just being made.
    """
    now = await database_time(connection)
    expires_at = families.expiry(now, now)
    await connection.execute(
        insert(refresh_families).values(
            id=family_id, user_id=user_id, created_at=now, expires_at=expires_at
        )
    )
    await _add_token(connection, family_id, token_hash, now, expires_at)
    await _end_oldest(connection, user_id)
    return Opened(now, expires_at)


async def _end_oldest(connection: AsyncConnection, user_id: UUID) -> None:
    surplus = (
        select(_FAMILY.id)
        .where(_FAMILY.user_id == user_id, _FAMILY.ended_at.is_(None))
        .order_by(_FAMILY.created_at.desc(), _FAMILY.id)
        .offset(families.FAMILIES_PER_USER)
    )
    await _end(connection, _FAMILY.id.in_(surplus), EndReason.LIMIT)


async def owner_of(connection: AsyncConnection, token_hash: bytes) -> Owner | None:
    """Whose token that is; takes no lock."""
    statement = (
        select(_TOKEN.family_id, _FAMILY.user_id)
        .join(refresh_families, _FAMILY.id == _TOKEN.family_id)
        .where(_TOKEN.token_hash == token_hash)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Owner(row.family_id, row.user_id)


async def lock_family(connection: AsyncConnection, family_id: UUID) -> datetime | None:
    """Lock the family, and so all its tokens; answers when it was made."""
    statement = select(_FAMILY.created_at).where(_FAMILY.id == family_id)
    return (
        await connection.execute(statement.with_for_update(key_share=True))
    ).scalar_one_or_none()


# A token that was made since the live one's parent was used has that parent, too: they are twins.
_PRESENTED = text("""
    SELECT token.state, token.expires_at, token.used_at, successor.state AS successor_state,
           family.ended_at IS NOT NULL AS family_ended, clock_timestamp() AS now,
           EXISTS (
               SELECT FROM refresh_tokens AS parent
               JOIN refresh_tokens AS twin ON twin.token_hash = parent.successor
               WHERE parent.family_id = token.family_id AND twin.state = 'live'
                   AND token.created_at >= parent.used_at
           ) AS twin_unused
    FROM refresh_tokens AS token
    JOIN refresh_families AS family ON family.id = token.family_id
    LEFT JOIN refresh_tokens AS successor ON successor.token_hash = token.successor
    WHERE token.token_hash = :token_hash
""")


async def presented(
    connection: AsyncConnection, token_hash: bytes
) -> tuple[PresentedToken, datetime] | None:
    """The token as it is under the family's lock, and the database's time then."""
    row = (await connection.execute(_PRESENTED, {"token_hash": token_hash})).one_or_none()
    if row is None:
        return None
    token = PresentedToken(
        state=TokenState(row.state),
        expires_at=row.expires_at,
        used_at=row.used_at,
        successor_state=None if row.successor_state is None else TokenState(row.successor_state),
        family_ended=row.family_ended,
        twin_unused=row.twin_unused,
    )
    return token, row.now


async def rotate(
    connection: AsyncConnection,
    owner: Owner,
    token_hash: bytes,
    successor: bytes,
    *,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Mark the token used and make `successor` the live one; a twin that was live is void."""
    await connection.execute(
        update(refresh_tokens)
        .where(
            _TOKEN.family_id == owner.family_id,
            _TOKEN.state == TokenState.LIVE.value,
            _TOKEN.token_hash != token_hash,
        )
        .values(state=TokenState.VOID.value)
    )
    await connection.execute(
        update(refresh_tokens)
        .where(_TOKEN.token_hash == token_hash)
        .values(state=TokenState.USED.value, used_at=now, successor=successor)
    )
    await _succeed(connection, owner, successor, now, expires_at)


async def replace(
    connection: AsyncConnection,
    owner: Owner,
    token_hash: bytes,
    successor: bytes,
    *,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Void the live successor of a used token and make `successor` the live one.

    `used_at` stays: the window is reckoned from the first use and cannot be drawn out.
    """
    await connection.execute(
        update(refresh_tokens)
        .where(_TOKEN.family_id == owner.family_id, _TOKEN.state == TokenState.LIVE.value)
        .values(state=TokenState.VOID.value)
    )
    await connection.execute(
        update(refresh_tokens).where(_TOKEN.token_hash == token_hash).values(successor=successor)
    )
    await _succeed(connection, owner, successor, now, expires_at)


async def _succeed(
    connection: AsyncConnection,
    owner: Owner,
    successor: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    await _add_token(connection, owner.family_id, successor, now, expires_at)
    await connection.execute(
        update(refresh_families).where(_FAMILY.id == owner.family_id).values(expires_at=expires_at)
    )


async def _add_token(
    connection: AsyncConnection,
    family_id: UUID,
    token_hash: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    await connection.execute(
        insert(refresh_tokens).values(
            token_hash=token_hash, family_id=family_id, created_at=now, expires_at=expires_at
        )
    )


async def end_family(connection: AsyncConnection, family_id: UUID, reason: EndReason) -> None:
    """End one session."""
    await _end(connection, _FAMILY.id == family_id, reason)


async def end_all_of(connection: AsyncConnection, user_id: UUID, reason: EndReason) -> None:
    """End every session of a user whose row the caller has locked."""
    await _end(connection, _FAMILY.user_id == user_id, reason)


async def _end(connection: AsyncConnection, which: ColumnElement[bool], reason: EndReason) -> None:
    await connection.execute(
        update(refresh_families)
        .where(which, _FAMILY.ended_at.is_(None))
        .values(ended_at=func.clock_timestamp(), end_reason=reason.value)
    )


async def prune(connection: AsyncConnection, *, limit: int, keep: timedelta) -> int:
    """Delete up to `limit` tokens and families that expired longer than `keep` ago; how many."""
    done = 0
    for table, key in ((refresh_tokens, _TOKEN.token_hash), (refresh_families, _FAMILY.id)):
        expired = (
            select(key)
            .where(table.c.expires_at < func.clock_timestamp() - keep)
            .order_by(table.c.expires_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        result: Any = await connection.execute(delete(table).where(key.in_(expired)))
        done += result.rowcount
    return done
