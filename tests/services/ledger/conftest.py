"""The ledger as its tests need it: a migrated database, a running writer, and the laws as SQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from baluarte import databases
from baluarte.migrate import migrate
from chassis.database import create_engine
from services.ledger.contract import (
    Posted,
    Posting,
    PostingKind,
    PostingResult,
    account_id_of,
    external_account,
)
from services.ledger.holds import HoldAction, HoldCommand, HoldResult
from services.ledger.store import PostgresStore, Store, connector
from services.ledger.writer import Observer, Writer, WriterOptions
from tests import servers
from tests.conftest import CreateDatabase

EXTERNAL = external_account("BRL")
CORRELATION = "0123456789abcdef"

LAWS = {
    "money is conserved per currency": """
        SELECT currency, sum(balance) FROM accounts GROUP BY 1 HAVING sum(balance) <> 0
    """,
    "a balance equals the replay of its entries": """
        SELECT a.id FROM accounts a
        LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM entries GROUP BY 1) e
            ON e.account_id = a.id
        WHERE a.balance <> coalesce(e.amount, 0)
    """,
    "each entry's balance is the sum of the entries up to it": """
        SELECT * FROM (
            SELECT balance_after, sum(amount) OVER (
                PARTITION BY account_id ORDER BY account_version
            ) AS replayed FROM entries
        ) AS r WHERE balance_after <> replayed
    """,
    "no two entries share a version of their account": """
        SELECT account_id, account_version FROM entries GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "a posted transfer has its two legs, a failed one none": """
        SELECT t.id FROM ledger_transfers t
        LEFT JOIN entries d ON d.transfer_id = t.id AND d.leg = 1
        LEFT JOIN entries c ON c.transfer_id = t.id AND c.leg = 2
        WHERE (t.status = 'POSTED' AND NOT coalesce(
            d.account_id = t.debit AND d.amount = -t.amount
            AND c.account_id = t.credit AND c.amount = t.amount, false))
        OR (t.status = 'FAILED' AND (d.leg IS NOT NULL OR c.leg IS NOT NULL))
    """,
    "every entry has its transfer": """
        SELECT e.transfer_id FROM entries e
        LEFT JOIN ledger_transfers t ON t.id = e.transfer_id WHERE t.id IS NULL
    """,
    "held money is what open holds say": """
        SELECT a.id FROM accounts a
        LEFT JOIN (
            SELECT account_id, sum(amount) AS amount FROM holds WHERE status = 'HELD' GROUP BY 1
        ) h ON h.account_id = a.id
        WHERE a.held <> coalesce(h.amount, 0)
    """,
    "nobody spends what they do not have": """
        SELECT id FROM accounts WHERE balance - held < -overdraft
    """,
    "a transfer is reversed at most once": """
        SELECT reverses FROM ledger_transfers
        WHERE status = 'POSTED' AND reverses IS NOT NULL GROUP BY 1 HAVING count(*) > 1
    """,
    "a hold that has ended has its transfer": """
        SELECT h.transfer_id FROM holds h LEFT JOIN ledger_transfers t ON t.id = h.transfer_id
        WHERE (h.status = 'HELD') <> (t.id IS NULL)
           OR (h.status = 'CAPTURED') <> coalesce(t.status = 'POSTED', false)
    """,
}


@dataclass(slots=True)
class Bank:
    """A ledger database with a running writer, and a connection of our own to look at it."""

    url: str
    writer: Writer
    sql: Any

    async def open(
        self,
        balance: int = 0,
        *,
        overdraft: int = 0,
        active: bool = True,
        currency: str = "BRL",
        owner_id: UUID | None = None,
    ) -> UUID:
        """A new user's account that has received `balance` from outside."""
        owner_id = owner_id or uuid4()
        account = account_id_of(owner_id)
        await self.sql.execute(
            "INSERT INTO accounts (id, owner_id, currency, overdraft) VALUES ($1, $2, $3, $4)",
            account,
            owner_id,
            currency,
            overdraft,
        )
        if balance:
            assert (await self.post(transfer(EXTERNAL, account, balance))).posted is not None
        if not active:
            await self.sql.execute("UPDATE accounts SET active = false WHERE id = $1", account)
        return account

    async def post(self, posting: Posting) -> PostingResult:
        (result,) = await self.writer.post([posting], CORRELATION)
        return result

    async def post_all(self, postings: Sequence[Posting]) -> list[PostingResult]:
        return await self.writer.post(postings, CORRELATION)

    async def hold(self, command: HoldCommand) -> HoldResult:
        (result,) = await self.writer.hold([command], CORRELATION)
        return result

    async def balance(self, account: UUID) -> int:
        return int(await self.sql.fetchval("SELECT balance FROM accounts WHERE id = $1", account))

    async def held(self, account: UUID) -> int:
        return int(await self.sql.fetchval("SELECT held FROM accounts WHERE id = $1", account))

    async def count(self, table: str) -> int:
        return int(await self.sql.fetchval(f"SELECT count(*) FROM {table}"))

    async def check(self) -> None:
        """Every law of the ledger, in one snapshot."""
        async with self.sql.transaction(isolation="repeatable_read", readonly=True):
            for law, broken in LAWS.items():
                assert not await self.sql.fetch(broken), law


def transfer(
    debit: UUID,
    credit: UUID,
    amount: int,
    *,
    transfer_id: UUID | None = None,
    kind: PostingKind = PostingKind.TRANSFER,
    currency: str = "BRL",
    reverses: UUID | None = None,
) -> Posting:
    return Posting(
        transfer_id=transfer_id or uuid4(),
        kind=kind,
        debit=debit,
        credit=credit,
        amount=amount,
        currency=currency,
        reverses=reverses,
    )


def reversal(of: Posting, *, transfer_id: UUID | None = None) -> Posting:
    return transfer(
        of.credit,
        of.debit,
        of.amount,
        transfer_id=transfer_id,
        kind=PostingKind.REVERSAL,
        currency=of.currency,
        reverses=of.transfer_id,
    )


def tombstone(of: Posting) -> Posting:
    return transfer(
        of.debit,
        of.credit,
        of.amount,
        transfer_id=of.transfer_id,
        kind=PostingKind.TOMBSTONE,
        currency=of.currency,
    )


def hold(
    action: HoldAction,
    debit: UUID,
    credit: UUID,
    amount: int,
    *,
    transfer_id: UUID | None = None,
    expires_in: float = 3600,
    currency: str = "BRL",
) -> HoldCommand:
    return HoldCommand(
        action=action,
        transfer_id=transfer_id or uuid4(),
        debit=debit,
        credit=credit,
        amount=amount,
        currency=currency,
        expires_at=datetime.now(UTC) + timedelta(seconds=expires_in),
    )


def outcome(result: PostingResult) -> Posted:
    """The definite outcome of a posting that has one."""
    assert result.posted is not None, result.error
    return result.posted


@asynccontextmanager
async def running(
    store: Store, *, options: WriterOptions | None = None, observer: Observer | None = None
) -> AsyncIterator[Writer]:
    """A writer on `store` that runs as long as the block lasts."""
    writer, stop = Writer(store, options=options, observer=observer), asyncio.Event()
    task = asyncio.create_task(writer.run(stop))
    try:
        yield writer
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


@asynccontextmanager
async def open_bank(url: str, store: Store | None = None, **options: Any) -> AsyncIterator[Bank]:
    async with (
        databases.connection(url, ssl=False) as sql,
        running(store or PostgresStore(connector(url)), **options) as writer,
    ):
        yield Bank(url, writer, sql)


@pytest.fixture(scope="session")
def ledger_template(postgres_server: servers.PostgresServer) -> str:
    """The name of a migrated database: copying it is faster than migrating."""
    name = servers.database_names("ledger_template")

    async def make() -> bool:
        async with databases.connection(postgres_server.url, ssl=False) as connection:
            await connection.execute(f"CREATE DATABASE {name}")
        await migrate(postgres_server.database_url(name), "ledger")
        return True

    servers.answer(make)
    return name


@pytest.fixture
async def database_url(create_database: CreateDatabase, ledger_template: str) -> str:
    """A migrated ledger database."""
    return await create_database("ledger", template=ledger_template)


@pytest.fixture
async def bank(database_url: str) -> AsyncIterator[Bank]:
    """A ledger that is checked against every law when the test is over."""
    async with open_bank(database_url) as bank:
        yield bank
        await bank.check()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Pooled connections to the ledger database."""
    engine = create_engine(database_url, application_name="ledger-test")
    yield engine
    await engine.dispose()
