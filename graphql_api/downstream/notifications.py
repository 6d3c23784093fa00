"""The notifications service: a recipient's history."""

from chassis.context import Call
from graphql_api.downstream.port import Client
from services.notifications import contract


class Notifications:
    """What the gateway asks the notifications service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def pages(
        self, call: Call, request: contract.ListNotifications
    ) -> list[contract.NotificationPage | None]:
        """One page per asked user, in that order."""
        answer = await self._client.call(call, contract.LIST_NOTIFICATIONS, request)
        return answer.pages
