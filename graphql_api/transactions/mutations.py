"""Mutations that move money. At most one of them in an operation, each under an idempotency key."""

from typing import Annotated

import strawberry

from chassis import codes
from graphql_api.context import Info
from graphql_api.degradation import LIVE, QUEUED
from graphql_api.fields import mutation
from graphql_api.transactions.inputs import CashInput, ReverseInput, TransferInput
from graphql_api.transactions.types import Transaction
from services.transactions import contract

_UNKNOWN = (
    " An OUTCOME_UNKNOWN error means that it may have happened: send the same again, or ask "
    "`transaction(idempotencyKey:)`."
)


@strawberry.type
class TransactionMutations:
    @mutation(
        description="Pay another user. PENDING means accepted; ask `transaction` later." + _UNKNOWN,
        degrades=QUEUED,
    )
    async def transfer(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            TransferInput, strawberry.argument(description="Whom, how much, and the key.")
        ],
    ) -> Transaction | None:
        user = info.context.require_user()
        request = input.request()
        if request.receiver_id == user.id:
            raise codes.SELF_TRANSFER.error(field="receiverId")
        return await _create(info, request)

    @mutation(
        description="Pay money in from outside: a demonstration rail, capped, off in production."
        + _UNKNOWN,
        degrades=QUEUED,
    )
    async def deposit(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            CashInput, strawberry.argument(description="How much, and the key.")
        ],
    ) -> Transaction | None:
        info.context.require_user()
        return await _create(info, input.request(contract.TransactionType.DEPOSIT))

    @mutation(
        description="Pay money out to outside: a demonstration rail, capped, off in production."
        + _UNKNOWN,
        degrades=QUEUED,
    )
    async def withdraw(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            CashInput, strawberry.argument(description="How much, and the key.")
        ],
    ) -> Transaction | None:
        info.context.require_user()
        return await _create(info, input.request(contract.TransactionType.WITHDRAWAL))

    @mutation(
        description=(
            "Take a completed transaction back, once, if the receiver has the funds. For staff. "
            "Answers the reversal." + _UNKNOWN
        ),
        degrades=QUEUED,
    )
    async def reverse(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            ReverseInput, strawberry.argument(description="Which transaction, and the key.")
        ],
    ) -> Transaction | None:
        info.context.require_staff()
        ask = info.context.ask
        return Transaction.of(
            await ask.downstream.transactions.reverse(ask.call, input.request()), LIVE
        )


async def _create(info: Info, request: contract.Create) -> Transaction:
    ask = info.context.ask
    return Transaction.of(await ask.downstream.transactions.create(ask.call, request), LIVE)
