"""Batch functions over the ledger."""

from collections.abc import Sequence
from uuid import UUID

from graphql_api.batching import Ask, Failure, for_owners
from services.ledger.contract import Account


async def accounts(ask: Ask, owner_ids: Sequence[UUID]) -> list[Account | Failure | None]:
    """The account of each owner; None where none has been opened yet."""
    return await for_owners(
        ask.call, owner_ids, lambda ids: ask.downstream.ledger.accounts(ask.call, ids)
    )
