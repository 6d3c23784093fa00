"""Statements on recipients and notifications. The caller holds the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.messages import Event
from services.notifications.contract import Notification, NotificationStatus
from services.notifications.rendering import Rendered

_IDS = ARRAY(Uuid)
_TEXTS = ARRAY(Text)

_LEARN = text("""
    INSERT INTO recipients (user_id, name, name_version) VALUES (:user_id, :name, :version)
    ON CONFLICT (user_id) DO UPDATE
    SET name = excluded.name, name_version = excluded.name_version
    WHERE recipients.name_version < excluded.name_version
""")

_NAMES = text("""
    SELECT user_id, name FROM recipients WHERE user_id = ANY(:ids) AND name IS NOT NULL
""").bindparams(bindparam("ids", type_=_IDS))

_ADD = text("""
    WITH new AS (
        INSERT INTO notifications (id, event_id, user_id, type, title, body, transaction_id,
                                   correlation_id)
        SELECT id, :event_id, user_id, :type, title, body, transaction_id, :correlation_id
        FROM unnest(CAST(:ids AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:titles AS text[]),
                    CAST(:bodies AS text[]), CAST(:transaction_ids AS uuid[]))
            AS rendered (id, user_id, title, body, transaction_id)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO deliveries (notification_id, channel)
    SELECT new.id, channel FROM new CROSS JOIN unnest(CAST(:channels AS text[])) AS channel
""").bindparams(
    bindparam("ids", type_=_IDS),
    bindparam("user_ids", type_=_IDS),
    bindparam("transaction_ids", type_=_IDS),
    bindparam("titles", type_=_TEXTS),
    bindparam("bodies", type_=_TEXTS),
    bindparam("channels", type_=_TEXTS),
    bindparam("event_id", type_=Uuid),
)

_HISTORY = text("""
    SELECT found.* FROM unnest(CAST(:ids AS uuid[])) AS asked (user_id)
    CROSS JOIN LATERAL (
        SELECT id, user_id, type, title, body, transaction_id, status, created_at, delivered_at
        FROM notifications
        WHERE notifications.user_id = asked.user_id
          AND (CAST(:before AS timestamptz) IS NULL
               OR (created_at, id) < (CAST(:before AS timestamptz), CAST(:before_id AS uuid)))
        ORDER BY created_at DESC, id DESC
        LIMIT :limit
    ) AS found
    ORDER BY found.created_at DESC, found.id DESC
""").bindparams(bindparam("ids", type_=_IDS))

_PRUNE = text("""
    DELETE FROM notifications WHERE id IN (
        SELECT id FROM notifications
        WHERE created_at < clock_timestamp() - make_interval(days => :days)
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
""")


def notification_id(event_id: UUID, user_id: UUID) -> UUID:
    """The one id that a notification of an event for a recipient can have."""
    return uuid5(event_id, str(user_id))


async def learn_name(connection: AsyncConnection, user_id: UUID, name: str, version: int) -> None:
    """Remember a recipient's name unless a newer one is known."""
    await connection.execute(_LEARN, {"user_id": user_id, "name": name, "version": version})


async def known_names(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names known of `ids`."""
    if not ids:
        return {}
    return {row.user_id: row.name for row in await connection.execute(_NAMES, {"ids": ids})}


async def add(
    connection: AsyncConnection,
    event: Event,
    rendered: Sequence[Rendered],
    channels: Sequence[str],
) -> None:
    """Store notifications with a delivery per channel; those that exist are left as they are."""
    if not rendered:
        return
    await connection.execute(
        _ADD,
        {
            "event_id": event.id,
            "type": event.type,
            "correlation_id": event.correlation_id,
            "ids": [notification_id(event.id, item.user_id) for item in rendered],
            "user_ids": [item.user_id for item in rendered],
            "titles": [item.title for item in rendered],
            "bodies": [item.body for item in rendered],
            "transaction_ids": [item.transaction_id for item in rendered],
            "channels": list(channels),
        },
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which part of each history: up to `limit` rows that come after `after` in it."""

    limit: int
    after: tuple[datetime, UUID] | None = None


async def histories(
    connection: AsyncConnection, user_ids: Sequence[UUID], bounds: Bounds
) -> Mapping[UUID, list[Notification]]:
    """A part of each user's history, newest first."""
    before, before_id = bounds.after or (None, None)
    parameters = {
        "ids": list(dict.fromkeys(user_ids)),
        "before": before,
        "before_id": before_id,
        "limit": bounds.limit,
    }
    found: dict[UUID, list[Notification]] = {user_id: [] for user_id in user_ids}
    for row in await connection.execute(_HISTORY, parameters):
        found[row.user_id].append(_notification(row))
    return found


async def prune(connection: AsyncConnection, *, days: int, limit: int) -> int:
    """Delete up to `limit` notifications older than `days`; how many."""
    done: Any = await connection.execute(_PRUNE, {"days": days, "limit": limit})
    return int(done.rowcount)


def _notification(row: Any) -> Notification:
    return Notification(
        id=row.id,
        user_id=row.user_id,
        type=row.type,
        title=row.title,
        body=row.body,
        transaction_id=row.transaction_id,
        status=NotificationStatus(row.status),
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
