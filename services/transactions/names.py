"""What people are called: a copy of names that the users service owns, kept by its events."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.inbox import Handler
from chassis.messages import USER_PROFILE_UPDATED, USER_REGISTERED, Event
from services.users.contract import UserRegistered

_LEARN: Final = text("""
INSERT INTO names (user_id, name, version) VALUES (:user_id, :name, :version)
ON CONFLICT (user_id) DO UPDATE SET name = excluded.name, version = excluded.version
WHERE names.version < excluded.version
""")


async def learn_name(connection: AsyncConnection, event: Event) -> None:
    """Take a name over, unless a newer one is known."""
    user = event.read(UserRegistered)
    await write_name(connection, user.user_id, user.name, event.version)


async def write_name(connection: AsyncConnection, user_id: UUID, name: str, version: int) -> None:
    """Remember that the user is called so as of `version`; the caller commits."""
    await connection.execute(_LEARN, {"user_id": user_id, "name": name, "version": version})


HANDLERS: Final[Mapping[str, Handler]] = {
    USER_REGISTERED: learn_name,
    USER_PROFILE_UPDATED: learn_name,
}
"""What the inbox worker runs, by event type."""
