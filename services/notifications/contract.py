"""What the notifications service does for others: a recipient's history. Structs and operations, no I/O."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from chassis.contract import Answer, Cursor, Message, Operation, PageSize, UserAccess
from resilience.context import Priority

SERVICE = "notifications"


class NotificationStatus(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class Notification(Answer, frozen=True, kw_only=True):
    """One message for one recipient, rendered once."""

    id: UUID
    user_id: UUID
    type: str
    """Type of the event that it tells of, such as `transaction.completed`."""
    title: str
    body: str
    transaction_id: UUID | None
    status: NotificationStatus
    created_at: datetime
    delivered_at: datetime | None


class ListNotifications(Message, frozen=True, kw_only=True):
    """A page per user, newest first."""

    user_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=100)]
    first: PageSize = 20
    after: Cursor | None = None


class NotificationPage(Answer, frozen=True, kw_only=True):
    notifications: list[Notification]
    next: str | None


class NotificationPages(Answer, frozen=True, kw_only=True):
    """One page per asked user, in that order; null where the caller may not see it."""

    pages: list[NotificationPage | None]


class NotificationDelivered(Answer, frozen=True, kw_only=True):
    """Payload of `notification.delivered`; key is the recipient's id."""

    notification_id: UUID
    user_id: UUID
    type: str
    transaction_id: UUID | None
    channel: str


LIST_NOTIFICATIONS = Operation(
    service=SERVICE,
    name="list_notifications",
    path="/v1/notifications/list",
    request=ListNotifications,
    response=NotificationPages,
    summary="A recipient's own history by page; any for staff",
    reads=True,
    user=UserAccess.REQUIRED,
    priority=Priority.LOW,
)

OPERATIONS = (LIST_NOTIFICATIONS,)
