"""The arguments of a statement: written once, used by `Query.transactions` and `User.transactions`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_api.context import Info
from graphql_api.inputs import parse_id, request_of
from graphql_api.paging import AFTER, DEFAULT_PAGE, FIRST, Connection, connection, page_size
from graphql_api.transactions.pages import Statement
from graphql_api.transactions.types import Transaction, TransactionStatus, TransactionType
from services.transactions import contract

First = Annotated[int, strawberry.argument(description=FIRST)]
After = Annotated[str | None, strawberry.argument(description=AFTER)]
Status = Annotated[
    TransactionStatus | None, strawberry.argument(description="Only those in this status.")
]
Type = Annotated[
    TransactionType | None, strawberry.argument(name="type", description="Only those of this kind.")
]
Since = Annotated[
    datetime | None, strawberry.argument(description="Only those created at or after this instant.")
]
Until = Annotated[
    datetime | None, strawberry.argument(description="Only those created before this instant.")
]
CounterpartyId = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only those with this user on the other side."),
]

__all__ = [
    "DEFAULT_PAGE",
    "After",
    "CounterpartyId",
    "First",
    "Since",
    "Status",
    "Type",
    "Until",
    "statement_of",
    "transactions_of",
]


def statement_of(
    *,
    first: int,
    after: str | None,
    status: TransactionStatus | None,
    type_: TransactionType | None,
    since: datetime | None,
    until: datetime | None,
    counterparty_id: str | None,
) -> Statement:
    """The statement that the arguments ask for.

    Raises:
        CodedError: INVALID_INPUT.
    """
    request_of(  # the contract's bound on the cursor
        contract.ListTransactions,
        {"userIds": [UUID(int=0)], "first": page_size(first), "after": after},
    )
    return Statement(
        first=first,
        after=after,
        status=contract.TransactionStatus[status.name] if status else None,
        type=contract.TransactionType[type_.name] if type_ else None,
        since=since,
        until=until,
        counterparty_id=parse_id(counterparty_id, "counterpartyId") if counterparty_id else None,
    )


async def transactions_of(
    info: Info, user_id: UUID, statement: Statement
) -> Connection[Transaction] | None:
    """The page of one user, loaded together with those of others that ask for the same."""
    served = await info.context.loaders.statements(statement).load(user_id)
    if served is None:
        return None
    freshness = info.context.freshness(info.path, contract.SERVICE, served)
    page = served.value
    return connection(
        page.transactions,
        page.next,
        statement.after,
        lambda row: Transaction.of(row, freshness),
        freshness,
    )
