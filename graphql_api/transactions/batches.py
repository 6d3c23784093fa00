"""Batch functions over the transactions service, and the names of counterparties."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.context import Call
from graphql_api.batching import Ask, Failure, each, for_owners, may_see
from services.transactions import contract
from services.users.contract import PublicName

STATEMENTS_LIMIT = 100
"""Most users of one statement call, as the contract says."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Which page of which transactions: equal values share a downstream call."""

    first: int
    after: str | None = None
    status: contract.TransactionStatus | None = None
    type: contract.TransactionType | None = None
    since: datetime | None = None
    until: datetime | None = None
    counterparty_id: UUID | None = None


async def transactions(
    ask: Ask, ids: Sequence[UUID]
) -> list[contract.Transaction | Failure | None]:
    """Each transaction; None where there is none or the caller takes no part in it."""
    rows = await each(ids, lambda keys: ask.downstream.transactions.by_id(ask.call, keys))
    return [
        row if isinstance(row, Failure) or row is None or takes_part(ask.call, row) else None
        for row in rows
    ]


async def statements(
    ask: Ask, statement: Statement, user_ids: Sequence[UUID]
) -> list[contract.TransactionPage | Failure | None]:
    """The page of each user that `statement` describes."""

    async def fetch(ids: list[UUID]) -> list[contract.TransactionPage | None]:
        request = contract.ListTransactions(
            user_ids=ids,
            first=statement.first,
            after=statement.after,
            status=statement.status,
            type=statement.type,
            since=statement.since,
            until=statement.until,
            counterparty_id=statement.counterparty_id,
        )
        return await ask.downstream.transactions.pages(ask.call, request)

    return await for_owners(ask.call, user_ids, fetch)


async def names(ask: Ask, user_ids: Sequence[UUID]) -> list[PublicName | Failure | None]:
    """The name of each user: all that a counterparty may know."""
    return await each(user_ids, lambda ids: ask.downstream.users.names(ask.call, ids))


def takes_part(call: Call, row: contract.Transaction) -> bool:
    """Whether the caller may see the transaction: as a party, as its initiator, or as staff."""
    parties = (row.sender_id, row.receiver_id, row.initiated_by)
    return any(party is not None and may_see(call, party) for party in parties)
