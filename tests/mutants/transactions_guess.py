"""A transactions service that takes silence for a no: what it reports as failed may have been paid."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette

from chassis.context import Call
from chassis.errors import CodedError
from chassis.server import run
from chassis.settings import Settings
from services.ledger.contract import (
    FailureReason,
    Posted,
    Posting,
    PostingResult,
    PostingStatus,
)
from services.transactions import app
from services.transactions.contract import SERVICE
from services.transactions.ledger_port import LedgerPort

PATIENCE = 0.012
"""Seconds: about what the ledger takes, so that many answers come a little too late."""


class Guessing:
    """Gives up after `PATIENCE` and calls it a refusal."""

    def __init__(self, ledger: LedgerPort) -> None:
        self._ledger = ledger

    async def post(self, call: Call, postings: Sequence[Posting]) -> Sequence[PostingResult]:
        asked = asyncio.ensure_future(self._ledger.post(call, postings))
        try:
            return await asyncio.wait_for(asyncio.shield(asked), PATIENCE)
        except (TimeoutError, CodedError):
            asked.add_done_callback(lambda done: done.exception())
            return [_refused(posting) for posting in postings]


def _refused(posting: Posting) -> PostingResult:
    return PostingResult(
        transfer_id=posting.transfer_id,
        posted=Posted(
            transfer_id=posting.transfer_id,
            status=PostingStatus.FAILED,
            reason=FailureReason.TRANSFER_ABANDONED,
            debit_balance=None,
            credit_balance=None,
            posted_at=datetime.now(UTC),
        ),
    )


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    return await app.compose(environ, through=Guessing)


if __name__ == "__main__":
    run(SERVICE, compose)
