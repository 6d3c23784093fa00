"""Pages of statements: which one is asked for, and how its last good copy is kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from chassis.context import Call
from graphql_api.batching import may_see, view_of
from graphql_api.degradation import TRANSACTION
from graphql_api.downstream.last_good import JsonCodec, Kept
from services.transactions import contract

SLOTS: Final = 64
"""Most pages kept of one statement and reader. Arguments are free, so without a bound one client that varies
them would push out everybody's copies; people look at a handful of pages."""


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

    def request(self, user_ids: Sequence[UUID]) -> contract.ListTransactions:
        """The service's request for this page of each of the users."""
        return contract.ListTransactions(
            user_ids=list(user_ids),
            first=self.first,
            after=self.after,
            status=self.status,
            type=self.type,
            since=self.since,
            until=self.until,
            counterparty_id=self.counterparty_id,
        )

    def digest(self) -> str:
        """A short name for these arguments; different arguments never share one."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class KeptPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page, and the digest of the arguments that it answers: slots are shared."""

    statement: str
    page: contract.TransactionPage


_CODEC = JsonCodec(KeptPage)


def kept_pages(digest: str) -> Kept[UUID, KeptPage]:
    """How the pages that those arguments ask for are kept: apart for each reader, who sees other things."""
    slot = int(digest[:8], 16) % SLOTS

    def entity(call: Call, owner_id: UUID) -> str:
        reader = call.user.id if call.user is not None else ""
        return f"{owner_id}:{reader}:{slot}"

    def may_read(call: Call, owner_id: UUID, kept: KeptPage) -> bool:
        return kept.statement == digest and may_see(call, owner_id)

    return Kept(
        contract="transactions.statement.v1",
        codec=_CODEC,
        max_stale_seconds=TRANSACTION.seconds,
        entity=entity,
        view=view_of,
        may_read=may_read,
    )
