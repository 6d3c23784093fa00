"""A consumer that takes every delivery for a new event: what the bus says twice is told twice."""

import uuid
from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import messaging
from chassis.bus import Bus
from chassis.inbox import InboxReceiver
from chassis.inbox.receiver import accept
from chassis.messages import Event
from chassis.server import run
from services.notifications.app import compose
from services.notifications.contract import SERVICE

from sqlalchemy.ext.asyncio import AsyncEngine  # isort: skip


async def accept_all(connection: AsyncConnection, consumer: str, events: Sequence[Event]) -> int:
    """Gives each delivery an id of its own before the inbox sees it."""
    fresh = [msgspec.structs.replace(event, id=uuid.uuid4()) for event in events]
    return await accept(connection, consumer, fresh)


class Gullible(InboxReceiver):
    """Accepts without comparing."""

    def __init__(
        self, engine: AsyncEngine, bus: Bus, topic: str, group: str, **options: object
    ) -> None:
        super().__init__(engine, bus, topic, group, accepting=accept_all, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    messaging.InboxReceiver = Gullible  # type: ignore[attr-defined]
    run(SERVICE, compose)
