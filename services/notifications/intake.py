"""What the service does about each event: remember names, and write the notifications that follow.

Every handler runs in the transaction that marks the event done in the inbox.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import messages
from chassis.inbox import Handler
from chassis.messages import Event
from services.notifications import rendering, store
from services.notifications.rendering import Rendered
from services.transactions.contract import TransactionSettled
from services.users.contract import BankingDetailsUpdated, UserRegistered


class Intake:
    """Handlers of events.

    Args:
        channels: names of the channels that every notification goes to.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)

    def handlers(self) -> Mapping[str, Handler]:
        """Event type → handler; together all that the topology sends here."""
        return {
            messages.USER_REGISTERED: self.user_registered,
            messages.USER_PROFILE_UPDATED: self.profile_updated,
            messages.USER_BANKING_DETAILS_UPDATED: self.banking_details_updated,
            messages.TRANSACTION_COMPLETED: self.transaction_settled,
            messages.TRANSACTION_FAILED: self.transaction_settled,
            messages.TRANSACTION_REVERSED: self.transaction_settled,
        }

    async def user_registered(self, connection: AsyncConnection, event: Event) -> None:
        data = event.read(UserRegistered)
        await store.learn_name(connection, data.user_id, data.name, event.version)
        await self._write(connection, event, rendering.welcome(data))

    async def profile_updated(self, connection: AsyncConnection, event: Event) -> None:
        data = event.read(UserRegistered)
        await store.learn_name(connection, data.user_id, data.name, event.version)

    async def banking_details_updated(self, connection: AsyncConnection, event: Event) -> None:
        data = event.read(BankingDetailsUpdated)
        await self._write(connection, event, rendering.banking_details_changed(data))

    async def transaction_settled(self, connection: AsyncConnection, event: Event) -> None:
        data = event.read(TransactionSettled)
        sides: list[UUID] = [side for side in (data.sender_id, data.receiver_id) if side]
        # Names are needed where one side is told of the other.
        names = await store.known_names(connection, sides) if len(sides) > 1 else {}
        await self._write(connection, event, rendering.transaction(event.type, data, names))

    async def _write(
        self, connection: AsyncConnection, event: Event, rendered: list[Rendered]
    ) -> None:
        await store.add(connection, event, rendered, self._channels)
