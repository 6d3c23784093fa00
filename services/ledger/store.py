"""One batch's unit of work in PostgreSQL: four round trips, whatever the number of postings.

BEGIN · lock the accounts, read them, and look whether an id is known, after locking · one statement that
writes everything by `unnest` · COMMIT. Known ids cost one more. The caller says when: nothing commits
by itself.

It uses asyncpg directly, on a connection of its own for the life of the process: the statements are
prepared once, and a pool would only be checked out once. Its session knows better than the planner that
each statement is by key (a plan made while a table was empty would scan it when it is not).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg

from chassis.database import CONNECT_TIMEOUT
from services.ledger import locks
from services.ledger.book import Account, Book, Hold, HoldStatus, Transfer
from services.ledger.contract import FailureReason, PostingStatus
from services.ledger.events import balance_events

Row = Mapping[Any, Any]
"""A row, by column name or by position."""


class Statement(Protocol):
    """What we use of asyncpg's prepared statement."""

    async def fetch(self, *arguments: Any) -> Sequence[Row]: ...

    def get_statusmsg(self) -> str: ...


class Session(Protocol):
    """What we use of asyncpg's connection."""

    async def execute(self, query: str, *arguments: Any) -> str: ...

    async def prepare(self, query: str) -> Statement: ...

    def is_closed(self) -> bool: ...

    def terminate(self) -> None: ...


Connect = Callable[[], Awaitable[Session]]
"""Gives an open session with the ledger database; raises when it cannot."""

STATEMENT_TIMEOUT_MS: Final = 4_000
"""Longest that one statement of a batch may run on the server."""

IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 10_000
"""After this the server gives up a transaction whose client has gone silent, and frees its locks."""

SETTINGS: Final = f"""
SET statement_timeout = {STATEMENT_TIMEOUT_MS};
SET lock_timeout = {locks.LOCK_TIMEOUT_MS};
SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_TIMEOUT_MS};
SET client_connection_check_interval = 1000;
SET default_transaction_isolation = 'read committed';
SET plan_cache_mode = 'force_generic_plan';
SET enable_seqscan = off;
SET jit = off
"""

# The balances by scalar subqueries, not joins: a join may be planned as a scan of all entries.
FIND: Final = """
SELECT false AS is_hold, t.id, t.kind, t.debit, t.credit, t.amount, t.currency, t.status, t.reason,
       t.reverses, t.created_at AS at,
       (SELECT balance_after FROM entries WHERE transfer_id = t.id AND leg = 1) AS debit_balance,
       (SELECT balance_after FROM entries WHERE transfer_id = t.id AND leg = 2) AS credit_balance
FROM ledger_transfers t WHERE t.id = ANY($1::uuid[])
UNION ALL
SELECT true, transfer_id, 'HOLD', account_id, credit, amount, currency, status, NULL,
       NULL, expires_at, NULL, NULL
FROM holds WHERE transfer_id = ANY($1::uuid[])
"""

FIND_REVERSED: Final = """
SELECT reverses FROM ledger_transfers
WHERE reverses = ANY($1::uuid[]) AND reverses IS NOT NULL AND status = 'POSTED'
"""

WRITE: Final = """
WITH new AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[],
        $8::text[], $9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]
    ) AS new (id, kind, debit, credit, amount, currency, status, reason, reverses,
              debit_balance, credit_balance, debit_version, credit_version)
), transfer AS (
    INSERT INTO ledger_transfers
        (id, kind, debit, credit, amount, currency, status, reason, reverses)
    SELECT id, kind, debit, credit, amount, currency, status, reason, reverses FROM new
), entry AS (
    INSERT INTO entries (transfer_id, leg, account_id, amount, balance_after, account_version)
    SELECT id, 1, debit, -amount, debit_balance, debit_version FROM new WHERE status = 'POSTED'
    UNION ALL
    SELECT id, 2, credit, amount, credit_balance, credit_version FROM new WHERE status = 'POSTED'
), event AS (
    INSERT INTO outbox (topic, key, payload)
    SELECT 'user-events', key, payload FROM unnest($18::text[], $19::bytea[]) AS e (key, payload)
)
UPDATE accounts
SET balance = now.balance, held = now.held, version = now.version, updated_at = now()
FROM unnest($14::uuid[], $15::bigint[], $16::bigint[], $17::bigint[])
    AS now (id, balance, held, version)
WHERE accounts.id = now.id
"""

WRITE_HOLDS: Final = """
INSERT INTO holds (transfer_id, account_id, credit, amount, currency, status, expires_at)
SELECT * FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[]
)
ON CONFLICT (transfer_id) DO UPDATE SET status = EXCLUDED.status, updated_at = now()
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a batch is about: what to lock, and what to look up."""

    accounts: Sequence[UUID]
    transfers: Sequence[UUID]
    reversed_ids: Sequence[UUID]


class Store(Protocol):
    """A unit of work that is used again for each batch. All may raise what the driver raises."""

    @property
    def connected(self) -> bool: ...

    async def connect(self) -> None:
        """Have a working session; replaces the old one."""

    async def read(self, keys: Keys) -> Book:
        """Begin, lock, and read what the keys name."""

    async def write(self, book: Book) -> None:
        """Write all changes, not committed."""

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    def terminate(self) -> None:
        """Drop the session at once, whatever it is doing."""


class PostgresStore:
    """`Store` on one asyncpg connection.

    The parts that a test may replace are methods: `find` (the look-up of ids) and `write`; and
    `connect` is handed in.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._lock: Statement
        self._find: Statement
        self._find_reversed: Statement
        self._write: Statement
        self._write_holds: Statement

    @property
    def session(self) -> Session:
        if self._session is None:
            raise ConnectionError("the store is not connected")
        return self._session

    @property
    def connected(self) -> bool:
        return self._session is not None and not self._session.is_closed()

    async def connect(self) -> None:
        self.terminate()
        session = await self._connect()
        try:
            await session.execute(SETTINGS)
            await session.execute(locks.DEFINE)
            self._lock = await session.prepare(locks.LOCK_AND_LOOK)
            self._find = await session.prepare(FIND)
            self._find_reversed = await session.prepare(FIND_REVERSED)
            self._write = await session.prepare(WRITE)
            self._write_holds = await session.prepare(WRITE_HOLDS)
        except BaseException:
            session.terminate()
            raise
        self._session = session

    async def read(self, keys: Keys) -> Book:
        await self.session.execute("BEGIN")
        *rows, last = await self._lock.fetch(keys.accounts, keys.transfers)
        book = Book(now=last[8], accounts={row[0]: Account(*row[:8]) for row in rows})
        if last[6]:
            book.transfers, book.holds = await self.find(keys.transfers)
        if keys.reversed_ids:
            found = await self._find_reversed.fetch(keys.reversed_ids)
            book.reversed_ids.update(row[0] for row in found)
        return book

    async def find(self, ids: Sequence[UUID]) -> tuple[dict[UUID, Transfer], dict[UUID, Hold]]:
        """The transfers and holds among `ids` that exist, with the balances after their legs."""
        transfers: dict[UUID, Transfer] = {}
        holds: dict[UUID, Hold] = {}
        for row in await self._find.fetch(ids):
            if row["is_hold"]:
                holds[row["id"]] = _hold(row)
            else:
                transfers[row["id"]] = _transfer(row)
        return transfers, holds

    async def write(self, book: Book) -> None:
        changed = list(book.changed_accounts.values())
        keys, payloads = balance_events(changed, book.now)
        await self._write.fetch(
            *_transfer_columns(book.new_transfers),
            [account.id for account in changed],
            [account.balance for account in changed],
            [account.held for account in changed],
            [account.version for account in changed],
            keys,
            payloads,
        )
        updated = self._write.get_statusmsg()
        if updated != f"UPDATE {len(changed)}":
            raise AssertionError(f"{updated} instead of {len(changed)} accounts")
        if book.changed_holds:
            await self._write_holds.fetch(*_hold_columns(list(book.changed_holds.values())))

    async def commit(self) -> None:
        # PostgreSQL answers COMMIT of a failed transaction with a friendly ROLLBACK.
        answer = await self.session.execute("COMMIT")
        if answer != "COMMIT":
            raise AssertionError(f"COMMIT was answered {answer}")

    async def rollback(self) -> None:
        await self.session.execute("ROLLBACK")

    def terminate(self) -> None:
        if self._session is not None:
            self._session.terminate()
            self._session = None


def _transfer_columns(transfers: Sequence[Transfer]) -> tuple[list[Any], ...]:
    """The first thirteen parameters of `WRITE`."""
    return (
        [transfer.id for transfer in transfers],
        [transfer.kind for transfer in transfers],
        [transfer.debit for transfer in transfers],
        [transfer.credit for transfer in transfers],
        [transfer.amount for transfer in transfers],
        [transfer.currency for transfer in transfers],
        [transfer.status for transfer in transfers],
        [transfer.reason for transfer in transfers],
        [transfer.reverses for transfer in transfers],
        [transfer.debit_balance for transfer in transfers],
        [transfer.credit_balance for transfer in transfers],
        [transfer.debit_version for transfer in transfers],
        [transfer.credit_version for transfer in transfers],
    )


def _hold_columns(holds: Sequence[Hold]) -> tuple[list[Any], ...]:
    return (
        [hold.transfer_id for hold in holds],
        [hold.account_id for hold in holds],
        [hold.credit for hold in holds],
        [hold.amount for hold in holds],
        [hold.currency for hold in holds],
        [hold.status for hold in holds],
        [hold.expires_at for hold in holds],
    )


def _transfer(row: Row) -> Transfer:
    return Transfer(
        row["id"],
        row["kind"],
        row["debit"],
        row["credit"],
        row["amount"],
        row["currency"],
        PostingStatus(row["status"]),
        FailureReason(row["reason"]) if row["reason"] else None,
        row["reverses"],
        row["at"],
        row["debit_balance"],
        row["credit_balance"],
    )


def _hold(row: Row) -> Hold:
    return Hold(
        row["id"],
        row["debit"],
        row["credit"],
        row["amount"],
        row["currency"],
        HoldStatus(row["status"]),
        row["at"],
    )


def connector(
    url: str, *, timeout: float = CONNECT_TIMEOUT, settings: Mapping[str, str] | None = None
) -> Connect:
    """Opens sessions with the database at `url`.

    Args:
        timeout: seconds for one try.
        settings: server settings of the session besides our own.
    """
    server_settings = {"application_name": "ledger-writer", "timezone": "UTC", **(settings or {})}

    async def connect() -> Session:
        session: Session = await asyncpg.connect(  # type: ignore[no-untyped-call]
            url, timeout=timeout, server_settings=server_settings
        )
        return session

    return connect
