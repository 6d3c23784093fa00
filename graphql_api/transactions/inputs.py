"""What money mutations take, and the contract's requests made of it."""

from typing import Any

import strawberry

from graphql_api.inputs import parse_id, request_of
from graphql_api.money import MoneyInput
from graphql_api.scalars import MetadataObject
from services.transactions import contract

KEY = (
    "Chosen by the client, 8 to 64 of [A-Za-z0-9_-], such as a UUID. Sending the same request with the "
    "same key again answers the same transaction as it is now, and never moves money twice."
)
TEXT = "Text that both parties see, up to 140 characters."
METADATA = "What the client wants to find again; only the initiator and staff see it."


@strawberry.input(description="A transfer to another user.")
class TransferInput:
    idempotency_key: str = strawberry.field(description=KEY)
    receiver_id: strawberry.ID = strawberry.field(description="The user who is paid.")
    amount: MoneyInput = strawberry.field(description="How much.")
    description: str | None = strawberry.field(default=None, description=TEXT)
    metadata: MetadataObject | None = strawberry.field(default=None, description=METADATA)

    def request(self) -> contract.Create:
        """Raises: CodedError: INVALID_INPUT, INVALID_AMOUNT, UNSUPPORTED_CURRENCY."""
        receiver = parse_id(self.receiver_id, "receiverId")
        return _create(contract.TransactionType.TRANSFER, self, receiverId=receiver)


@strawberry.input(description="Money from outside to the signed-in user, or back to outside.")
class CashInput:
    idempotency_key: str = strawberry.field(description=KEY)
    amount: MoneyInput = strawberry.field(description="How much.")
    description: str | None = strawberry.field(default=None, description=TEXT)
    metadata: MetadataObject | None = strawberry.field(default=None, description=METADATA)

    def request(self, kind: contract.TransactionType) -> contract.Create:
        """Raises: CodedError: INVALID_INPUT, INVALID_AMOUNT, UNSUPPORTED_CURRENCY."""
        return _create(kind, self)


@strawberry.input(description="Taking a completed transaction back. For staff.")
class ReverseInput:
    idempotency_key: str = strawberry.field(description=KEY)
    transaction_id: strawberry.ID = strawberry.field(description="The transaction to take back.")
    description: str | None = strawberry.field(default=None, description=TEXT)

    def request(self) -> contract.Reverse:
        """Raises: CodedError: INVALID_INPUT."""
        return request_of(
            contract.Reverse,
            {
                "idempotencyKey": self.idempotency_key,
                "transactionId": parse_id(self.transaction_id, "transactionId"),
                "description": self.description,
            },
        )


def _create(
    kind: contract.TransactionType, given: TransferInput | CashInput, **more: Any
) -> contract.Create:
    fields = {
        "idempotencyKey": given.idempotency_key,
        "type": kind,
        "amount": given.amount.minor_units(),
        "currency": given.amount.currency,
        "description": given.description,
        "metadata": given.metadata,
        **more,
    }
    return request_of(contract.Create, fields)
