"""Queries about transactions."""

from typing import Annotated

import strawberry

from chassis import codes
from graphql_api.context import Info
from graphql_api.degradation import LIVE, TRANSACTION
from graphql_api.fields import field
from graphql_api.inputs import parse_id, request_of
from graphql_api.paging import DEFAULT_PAGE, Connection
from graphql_api.transactions.statements import (
    After,
    CounterpartyId,
    First,
    Since,
    Status,
    Type,
    Until,
    statement_of,
    transactions_of,
)
from graphql_api.transactions.types import Transaction, transaction_of
from services.transactions import contract


@strawberry.type
class TransactionQueries:
    @field(
        description=(
            "A transaction that the signed-in user takes part in, by its id or by the idempotency key "
            "that the user asked for it with; give exactly one. By key, null without an error means "
            '"not seen yet": the request may still be on its way; it never answers a copy.'
        ),
        degrades=TRANSACTION,
    )
    async def transaction(
        self,
        info: Info,
        id: Annotated[  # noqa: A002 - the name that clients write
            strawberry.ID | None, strawberry.argument(description="Id of the transaction.")
        ] = None,
        idempotency_key: Annotated[
            str | None, strawberry.argument(description="The user's own idempotency key.")
        ] = None,
    ) -> Transaction | None:
        info.context.require_user()
        if (id is None) == (idempotency_key is None):
            raise codes.INVALID_INPUT.error("Give either `id` or `idempotencyKey`.", field="id")
        if id is not None:
            served = await info.context.loaders.transactions.load(parse_id(id, "id"))
            if served is None:
                raise codes.TRANSACTION_NOT_FOUND.error(field="id")
            return transaction_of(info, served)
        asked = request_of(contract.FindTransaction, {"idempotencyKey": idempotency_key})
        ask = info.context.ask
        found = await ask.downstream.transactions.by_key(ask.call, asked.idempotency_key)
        return Transaction.of(found, LIVE) if found else None

    @field(
        description="The statement of the signed-in user, or as staff of any user, newest first.",
        degrades=TRANSACTION,
    )
    async def transactions(
        self,
        info: Info,
        user_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose statement; one's own when absent. For staff."),
        ] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
        status: Status = None,
        type_: Type = None,
        since: Since = None,
        until: Until = None,
        counterparty_id: CounterpartyId = None,
    ) -> Connection[Transaction] | None:
        user = info.context.require_user()
        statement = statement_of(
            first=first,
            after=after,
            status=status,
            type_=type_,
            since=since,
            until=until,
            counterparty_id=counterparty_id,
        )
        owner = user.id if user_id is None else parse_id(user_id, "userId")
        return await transactions_of(info, owner, statement)
