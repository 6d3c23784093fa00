"""Queries about notifications."""

from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api.context import Info
from graphql_api.degradation import LIVE, NULLED
from graphql_api.fields import field
from graphql_api.inputs import parse_id, request_of
from graphql_api.notifications.batches import History
from graphql_api.notifications.types import Notification
from graphql_api.paging import AFTER, DEFAULT_PAGE, FIRST, Connection, connection, page_size
from services.notifications import contract


@strawberry.type
class NotificationQueries:
    @field(
        description="What the signed-in user, or as staff any user, was told, newest first.",
        degrades=NULLED,
    )
    async def notifications(
        self,
        info: Info,
        user_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose; one's own when absent. For staff."),
        ] = None,
        first: Annotated[int, strawberry.argument(description=FIRST)] = DEFAULT_PAGE,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
    ) -> Connection[Notification] | None:
        user = info.context.require_user()
        owner = user.id if user_id is None else parse_id(user_id, "userId")
        request_of(  # the contract's bound on the cursor
            contract.ListNotifications,
            {"userIds": [UUID(int=0)], "first": page_size(first), "after": after},
        )
        page = await info.context.loaders.histories(History(first, after)).load(owner)
        if page is None:
            return None
        return connection(page.notifications, page.next, after, Notification.of, LIVE)
