"""What the ledger does about users' events: opens their account, and switches it on and off.

Every handler runs in the transaction that marks the event done in the inbox. Both may come after the
users service has asked for the same directly: then they change nothing.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.inbox import Handler
from chassis.messages import USER_ACTIVATION_UPDATED, USER_REGISTERED, Event
from services.ledger import accounts
from services.users.contract import UserActivationUpdated, UserRegistered


def handlers() -> Mapping[str, Handler]:
    """Event type → handler; together all that the topology sends here."""
    return {
        USER_REGISTERED: user_registered,
        USER_ACTIVATION_UPDATED: user_activation_updated,
    }


async def user_registered(connection: AsyncConnection, event: Event) -> None:
    data = event.read(UserRegistered)
    await accounts.open_account(connection, data.user_id, active=data.active)


async def user_activation_updated(connection: AsyncConnection, event: Event) -> None:
    data = event.read(UserActivationUpdated)
    await accounts.open_account(connection, data.user_id, active=data.active)
    await accounts.set_active(connection, data.user_id, data.active)
