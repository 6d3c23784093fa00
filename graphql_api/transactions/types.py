"""A transaction as its parties see it."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from chassis.errors import CodedError
from graphql_api.context import Info
from graphql_api.degradation import NAME, OF_UNKNOWN_AGE, Freshness
from graphql_api.fields import field
from graphql_api.money import Money
from graphql_api.scalars import MetadataObject
from resilience import Served
from services.transactions import contract
from services.users.contract import SERVICE as USERS
from services.users.contract import PublicName


@strawberry.enum(description="What kind of movement it is.")
class TransactionType(Enum):
    TRANSFER = strawberry.enum_value("TRANSFER", description="From one user to another.")
    DEPOSIT = strawberry.enum_value("DEPOSIT", description="From outside to a user.")
    WITHDRAWAL = strawberry.enum_value("WITHDRAWAL", description="From a user to outside.")
    REVERSAL = strawberry.enum_value("REVERSAL", description="Takes another transaction back.")


@strawberry.enum(description="How far it has come.")
class TransactionStatus(Enum):
    PENDING = strawberry.enum_value(
        "PENDING", description="Accepted and recorded; the money has not been confirmed to move."
    )
    COMPLETED = strawberry.enum_value("COMPLETED", description="The money has moved. Final.")
    FAILED = strawberry.enum_value(
        "FAILED", description="No money moved; `failureReason` says why. Final."
    )
    REVERSED = strawberry.enum_value(
        "REVERSED", description="Completed, and later taken back by `reversedById`."
    )


@strawberry.type(
    description="The other side of a transaction: all that one sees of it is the name."
)
class Counterparty:
    id: strawberry.ID = strawberry.field(description="Id of the user; usable as `receiverId`.")
    user_id: strawberry.Private[UUID]
    known_name: strawberry.Private[str | None]

    @field(
        description=(
            "Name of the user. When the users service does not answer, the last name that it told, or "
            "else the last that the transactions service heard of, with `freshness` saying STALE."
        ),
        degrades=NAME,
    )
    async def name(self, info: Info) -> str | None:
        served, failure = await self._look_up(info)
        if served is not None:
            info.context.freshness(info.path, USERS, served)
            return served.value.name
        if failure is not None:
            if self.known_name is None:
                raise failure
            info.context.degrade(info.path, USERS, failure, contract.SERVICE)
            return self.known_name
        return None

    @field(
        description="Whether `name` is current; null when there is no name.",
        degrades=NAME,
    )
    async def freshness(self, info: Info) -> Freshness | None:
        served, failure = await self._look_up(info)
        if served is not None:
            return Freshness.of(served)
        return OF_UNKNOWN_AGE if failure is not None and self.known_name is not None else None

    async def _look_up(self, info: Info) -> tuple[Served[PublicName] | None, CodedError | None]:
        """The users service's name, now or of earlier, or why there is none of it."""
        try:
            return await info.context.loaders.names.load(self.user_id), None
        except CodedError as error:
            return None, error


def _counterparty(user_id: UUID | None, known_name: str | None) -> Counterparty | None:
    if user_id is None:
        return None
    return Counterparty(id=strawberry.ID(str(user_id)), user_id=user_id, known_name=known_name)


def _id(value: UUID | None) -> strawberry.ID | None:
    return None if value is None else strawberry.ID(str(value))


@strawberry.type(description="A movement of money, or the attempt at one.")
class Transaction:
    id: strawberry.ID = strawberry.field(description="Id of the transaction.")
    type: TransactionType = strawberry.field(description="What kind of movement it is.")
    status: TransactionStatus = strawberry.field(description="How far it has come.")
    amount: Money = strawberry.field(description="How much moves.")
    description: str | None = strawberry.field(description="Text that both parties see.")
    metadata: MetadataObject | None = strawberry.field(
        description="What the initiator attached; null for others than the initiator and staff."
    )
    failure_reason: str | None = strawberry.field(
        description="Code of the reason, such as INSUFFICIENT_FUNDS; only when FAILED."
    )
    idempotency_key: str | None = strawberry.field(
        description="The key that it was asked for with; null for others than the initiator."
    )
    sender: Counterparty | None = strawberry.field(
        description="Who pays; null for a deposit, whose money comes from outside."
    )
    receiver: Counterparty | None = strawberry.field(
        description="Who is paid; null for a withdrawal, whose money goes outside."
    )
    reverses_id: strawberry.ID | None = strawberry.field(
        description="Id of the transaction that this one takes back."
    )
    reversed_by_id: strawberry.ID | None = strawberry.field(
        description="Id of the transaction that took this one back."
    )
    created_at: datetime = strawberry.field(description="When it was accepted.")
    processed_at: datetime | None = strawberry.field(
        description="When it became COMPLETED or FAILED; null while PENDING."
    )
    freshness: Freshness = strawberry.field(
        description="Whether this is current; when STALE, `status` may have moved on since."
    )

    @classmethod
    def of(cls, row: contract.Transaction, freshness: Freshness) -> "Transaction":
        """The transactions service's row as clients see it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            type=TransactionType[row.type.name],
            status=TransactionStatus[row.status.name],
            amount=Money.of(row.amount, row.currency),
            description=row.description,
            metadata=None if row.metadata is None else MetadataObject(dict(row.metadata)),
            failure_reason=row.failure_reason,
            idempotency_key=row.idempotency_key,
            sender=_counterparty(row.sender_id, row.sender_name),
            receiver=_counterparty(row.receiver_id, row.receiver_name),
            reverses_id=_id(row.reverses),
            reversed_by_id=_id(row.reversed_by),
            created_at=row.created_at,
            processed_at=row.processed_at,
            freshness=freshness,
        )


def transaction_of(info: Info, served: Served[contract.Transaction]) -> Transaction:
    """What the field at `info.path` shows of what was served."""
    freshness = info.context.freshness(info.path, contract.SERVICE, served)
    return Transaction.of(served.value, freshness)
