"""The one operation: a recipient's own history, or anybody's for staff."""

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes
from chassis.context import Call
from chassis.database import autocommit
from chassis.paging import decode_cursor, encode_cursor
from services.notifications import store
from services.notifications.contract import (
    ListNotifications,
    Notification,
    NotificationPage,
    NotificationPages,
)
from services.notifications.store import Bounds


class History:
    """Reads notifications."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, call: Call, request: ListNotifications) -> NotificationPages:
        """A page per asked user, newest first; null where the caller may not look.

        Raises:
            CodedError: INVALID_INPUT for a forged cursor.
        """
        if call.user is None:
            raise codes.UNAUTHENTICATED.error()
        after = decode_cursor(request.after) if request.after is not None else None
        staff, own = call.user.is_staff, call.user.id
        visible = [user_id for user_id in request.user_ids if staff or user_id == own]
        if not visible:
            return NotificationPages(pages=[None] * len(request.user_ids))
        async with autocommit(self._engine) as connection:
            # One more than asked for tells whether there is a next page.
            found = await store.histories(connection, visible, Bounds(request.first + 1, after))
        return NotificationPages(
            pages=[
                _page(found[user_id], request.first) if user_id in found else None
                for user_id in request.user_ids
            ]
        )


def _page(rows: list[Notification], first: int) -> NotificationPage:
    shown = rows[:first]
    more = len(rows) > first
    return NotificationPage(
        notifications=shown,
        next=encode_cursor(shown[-1].created_at, shown[-1].id) if more else None,
    )
