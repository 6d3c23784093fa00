"""A notification as its recipient sees it."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from graphql_api.context import Info
from graphql_api.degradation import TRANSACTION
from graphql_api.fields import field
from graphql_api.transactions.types import Transaction, transaction_of
from services.notifications import contract


@strawberry.enum(description="How far a notification has come.")
class NotificationStatus(Enum):
    PENDING = strawberry.enum_value("PENDING", description="Not handed over yet.")
    DELIVERED = strawberry.enum_value("DELIVERED", description="Handed over to its channel.")
    FAILED = strawberry.enum_value("FAILED", description="Given up.")


@strawberry.type(description="One message to one recipient.")
class Notification:
    id: strawberry.ID = strawberry.field(description="Id of the notification.")
    type: str = strawberry.field(
        description="The event that it tells of, such as `transaction.completed`."
    )
    title: str = strawberry.field(description="One line.")
    body: str = strawberry.field(description="The message.")
    status: NotificationStatus = strawberry.field(description="How far it has come.")
    created_at: datetime = strawberry.field(description="When it was written.")
    delivered_at: datetime | None = strawberry.field(
        description="When it was handed over; null until then."
    )
    transaction_id: strawberry.ID | None = strawberry.field(
        description="Id of the transaction that it tells of, if it tells of one."
    )
    about: strawberry.Private[UUID | None]

    @field(
        description="The transaction that it tells of, if it tells of one.", degrades=TRANSACTION
    )
    async def transaction(self, info: Info) -> Transaction | None:
        if self.about is None:
            return None
        served = await info.context.loaders.transactions.load(self.about)
        return transaction_of(info, served) if served else None

    @classmethod
    def of(cls, row: contract.Notification) -> "Notification":
        """The notifications service's row as clients see it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            type=row.type,
            title=row.title,
            body=row.body,
            status=NotificationStatus[row.status.name],
            created_at=row.created_at,
            delivered_at=row.delivered_at,
            transaction_id=strawberry.ID(str(row.transaction_id)) if row.transaction_id else None,
            about=row.transaction_id,
        )
