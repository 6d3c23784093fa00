"""A consumer that acknowledges a message before it is safe in its inbox: a crash in between loses it."""

import asyncio

from chassis import messaging
from chassis.bus.port import Consumer
from chassis.database import transaction
from chassis.inbox import InboxReceiver
from chassis.server import run
from services.notifications.app import compose
from services.notifications.contract import SERVICE

GAP = 1.0
"""Seconds between acknowledging and committing. Long beside all else that the loop waits for, so that a
kill falls into it also on a busy machine."""


class AcksFirst(InboxReceiver):
    """Tells the broker first and the database second."""

    async def take(self, consumer: Consumer) -> int:
        deliveries = await consumer.receive()
        await consumer.acknowledge(deliveries)
        await asyncio.sleep(GAP)
        async with transaction(self._engine) as uow:
            events = [delivery.event for delivery in deliveries]
            new = await self._accepting(uow.connection, self._group, events)
            await uow.commit()
        self._on_accepted()
        return new


if __name__ == "__main__":
    messaging.InboxReceiver = AcksFirst  # type: ignore[attr-defined]
    run(SERVICE, compose)
