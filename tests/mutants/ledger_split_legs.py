"""A ledger that posts the two legs in two transactions: between them, money is nowhere."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

import msgspec
from starlette.applications import Starlette

from chassis.server import run
from chassis.settings import Settings
from services.ledger import app
from services.ledger.book import Book
from services.ledger.contract import SERVICE, PostingStatus
from services.ledger.store import PostgresStore, Store, connector

GAP = 0.01
"""Seconds between the legs: about what a second round trip to another database would take."""


class SplitLegs(PostgresStore):
    """Commits the debits first, the credits a moment later."""

    async def write(self, book: Book) -> None:
        owed: Counter[UUID] = Counter()
        for transfer in book.new_transfers:
            if transfer.status is PostingStatus.POSTED:
                owed[transfer.credit] += transfer.amount
        whole = dict(book.changed_accounts)
        book.changed_accounts = {
            id_: msgspec.structs.replace(account, balance=account.balance - owed[id_])
            for id_, account in whole.items()
        }
        await super().write(book)
        await self.commit()
        await asyncio.sleep(GAP)
        await self.session.execute("BEGIN")
        for id_, amount in owed.items():
            await self.session.execute(
                "UPDATE accounts SET balance = balance + $2 WHERE id = $1", id_, amount
            )


def store(url: str) -> Store:
    return SplitLegs(connector(url))


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    return await app.compose(environ, make_store=store)


if __name__ == "__main__":
    run(SERVICE, compose)
