"""The way to the ledger: a port of one method, and its adapter over HTTP."""

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from chassis.client import ServiceClient
from chassis.context import Call
from services.ledger.contract import (
    POST_TRANSFERS,
    Posting,
    PostingKind,
    PostingResult,
    PostTransfers,
    account_id_of,
    external_account,
)
from services.transactions.machine import command
from services.transactions.rows import Row

POSTING_SECONDS: Final = 2.5
"""Longest wait for one batch of postings: a healthy ledger takes milliseconds, and a request that
waits on it must still be told PENDING before its own deadline."""


class LedgerPort(Protocol):
    """Where postings go. May raise anything: whatever is no result counts as unknown."""

    async def post(self, call: Call, postings: Sequence[Posting]) -> Sequence[PostingResult]:
        """Results of at most `POSTING_LIMIT` postings, in any order."""
        ...


class HttpLedger:
    """The ledger service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def post(self, call: Call, postings: Sequence[Posting]) -> Sequence[PostingResult]:
        request = PostTransfers(postings=list(postings))
        return (await self._client.call(call, POST_TRANSFERS, request)).results


def posting_of(row: Row, *, given_up: bool) -> Posting:
    """What to send for a pending transaction; always the same fields under the same id."""
    kind = command(row.type, given_up=given_up)
    return Posting(
        transfer_id=row.id,
        kind=kind,
        debit=_account(row.sender_id, row.currency),
        credit=_account(row.receiver_id, row.currency),
        amount=row.amount,
        currency=row.currency,
        reverses=row.reverses if kind is PostingKind.REVERSAL else None,
    )


def _account(user_id: UUID | None, currency: str) -> UUID:
    return external_account(currency) if user_id is None else account_id_of(user_id)
