"""What staff do about parked messages: list them, try them again, or drop one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LIST_LIMIT: Final = 100
"""Most parked messages in one listing."""

_PARKED = text(
    "SELECT message_id, topic, key, attempts, last_error, received_at,"
    " (SELECT count(*) FROM inbox AS later WHERE later.consumer = inbox.consumer"
    "  AND later.key = inbox.key AND later.seq > inbox.seq AND later.state <> 'done') AS waiting"
    " FROM inbox WHERE consumer = :consumer AND state = 'parked' ORDER BY seq LIMIT :limit"
)
_REDRIVE = text(
    "UPDATE inbox SET state = 'pending', attempts = 0, failures = 0,"
    " next_attempt_at = clock_timestamp()"
    " WHERE consumer = :consumer AND state = 'parked'"
    " AND (CAST(:message_id AS uuid) IS NULL OR message_id = :message_id)"
    " AND (CAST(:key AS text) IS NULL OR key = :key)"
)
_DISCARD = text(
    "UPDATE inbox SET state = 'done', done_at = clock_timestamp(), payload = NULL,"
    " last_error = 'DISCARDED'"
    " WHERE consumer = :consumer AND message_id = :message_id AND state = 'parked'"
)


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A message that waits for staff, and `waiting` later ones of its key behind it."""

    message_id: UUID
    topic: str
    key: str
    attempts: int
    last_error: str
    received_at: datetime
    waiting: int


async def parked(
    connection: AsyncConnection, consumer: str, *, limit: int = LIST_LIMIT
) -> list[ParkedMessage]:
    """The consumer's parked messages, oldest first."""
    found = await connection.execute(_PARKED, {"consumer": consumer, "limit": limit})
    return [ParkedMessage(*row) for row in found]


async def redrive(
    connection: AsyncConnection,
    consumer: str,
    *,
    message_id: UUID | None = None,
    key: str | None = None,
) -> int:
    """Try parked messages again, all or those chosen; how many. The caller commits."""
    found = await connection.execute(
        _REDRIVE, {"consumer": consumer, "message_id": message_id, "key": key}
    )
    return found.rowcount


async def discard(connection: AsyncConnection, consumer: str, message_id: UUID) -> bool:
    """Drop a parked message without its effects, so that those behind it go on; whether it was there.

    The message remains as done, with `DISCARDED` as its reason. The caller commits.
    """
    found = await connection.execute(_DISCARD, {"consumer": consumer, "message_id": message_id})
    return found.rowcount > 0
