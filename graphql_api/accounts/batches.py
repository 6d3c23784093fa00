"""Batch functions over the ledger."""

from collections.abc import Sequence
from uuid import UUID

from chassis.context import Call
from graphql_api.batching import Ask, Failure, for_owners, may_see, view_of
from graphql_api.degradation import ACCOUNT
from graphql_api.downstream.last_good import JsonCodec, Kept
from resilience import Served
from services.ledger.contract import Account


def _may_read(call: Call, owner_id: UUID, account: Account) -> bool:
    return account.owner_id == owner_id and may_see(call, owner_id)


KEPT = Kept(
    contract="ledger.account.v1",
    codec=JsonCodec(Account),
    max_stale_seconds=ACCOUNT.seconds,
    entity=lambda _, owner_id: str(owner_id),
    view=view_of,
    may_read=_may_read,
)
"""Shown while the ledger does not answer; what may be spent is decided by the ledger alone."""


async def accounts(ask: Ask, owner_ids: Sequence[UUID]) -> list[Served[Account] | Failure | None]:
    """The account of each owner; None where none has been opened yet."""
    ledger = ask.downstream.ledger
    return await for_owners(
        ask.call,
        owner_ids,
        lambda ids: ledger.last_good.read(
            ask.call, KEPT, ids, lambda call: ledger.accounts(call, ids)
        ),
    )
