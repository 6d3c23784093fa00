"""One snapshot of the servers' databases, read by SQL as a role that can only read.

Each database is read in one REPEATABLE READ READ ONLY transaction. Databases have no moment in common,
so take the snapshot after quiescence (`Auditor.rest`). The queries name tables and columns of the
services' schemas; nothing of the services is imported, because an auditor that shares the code of
those whom it audits shares their mistakes.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg
import msgspec
from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresError

from chaos.history.events import Status
from chaos.history.state import (
    AccountRow,
    EffectRow,
    EntryRow,
    HoldRow,
    MessageRow,
    PostingRow,
    ServerState,
    TransactionRow,
)

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 60.0
"""The longest that one table may take to read: a million rows take a few seconds."""
CONSUMER: Final = "notifications"
"""The consumer of transaction events, and the name of its effects' database."""

DATABASE_ERRORS: Final = (PostgresError, InterfaceError, InternalClientError, OSError, TimeoutError)
"""What asyncpg raises when a server is away, dying, or refuses."""

_MICROSECONDS: Final = "(extract(epoch FROM created_at) * 1000000)::bigint"

_ACCOUNTS: Final = "SELECT id::text, currency, balance, held, overdraft FROM accounts"
_ENTRIES: Final = """
SELECT transfer_id::text, leg, account_id::text, amount, balance_after, account_version FROM entries
"""
_POSTINGS: Final = f"""
SELECT id::text, status, debit::text, credit::text, amount, currency, reverses::text, {_MICROSECONDS}
FROM ledger_transfers
"""
_HOLDS: Final = "SELECT transfer_id::text, account_id::text, amount, status FROM holds"
_TRANSACTIONS: Final = f"""
SELECT id::text, initiated_by::text, idempotency_key, type, status, amount, currency,
    sender_id::text, receiver_id::text, reverses::text, {_MICROSECONDS}
FROM transactions
"""
_OUTBOX: Final = "SELECT payload FROM outbox WHERE topic = 'transaction-events'"
_INBOX: Final = """
SELECT message_id::text, payload, key, consumer, state = 'done'
FROM inbox WHERE topic = 'transaction-events'
"""
_EFFECTS: Final = """
SELECT type, transaction_id::text, user_id::text FROM notifications WHERE transaction_id IS NOT NULL
"""

T = TypeVar("T")


class AuditError(Exception):
    """A database could not be read. Says which one and why."""


@dataclass(frozen=True, slots=True)
class Urls:
    """The databases (`postgresql://…`) that the auditor reads.

    The broker's is not among them: what is still on its way is seen by its absence.
    """

    ledger: str = field(repr=False)
    transactions: str = field(repr=False)
    notifications: str = field(repr=False)


class _Envelope(msgspec.Struct, frozen=True):
    """The part of an event's envelope that tells what it is about."""

    id: str
    type: str
    key: str


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


async def snapshot(urls: Urls, *, quiet: bool = True) -> ServerState:
    """Read everything that the checks need.

    Args:
        quiet: whether the servers had come to rest before; kept in the snapshot.

    Raises:
        AuditError: a database cannot be reached, or has not the tables expected.
    """
    async with _reading(urls.ledger) as ledger:
        accounts = await _rows(ledger, _ACCOUNTS, AccountRow)
        entries = await _rows(ledger, _ENTRIES, EntryRow)
        postings = await _rows(ledger, _POSTINGS, PostingRow)
        holds = await _rows(ledger, _HOLDS, HoldRow)
    async with _reading(urls.transactions) as database:
        transactions = await _rows(database, _TRANSACTIONS, _transaction)
        outbox = await _rows(database, _OUTBOX, _waiting)
    async with _reading(urls.notifications) as database:
        inbox = await _rows(database, _INBOX, _arrived)
        effects = await _rows(database, _EFFECTS, _effect)
    return ServerState(
        accounts=accounts,
        entries=entries,
        postings=postings,
        holds=holds,
        transactions=transactions,
        outbox=outbox,
        inbox=inbox,
        effects=effects,
        consumers=(CONSUMER,),
        quiet=quiet,
    )


def where(url: str) -> str:
    """Return a database's name and server without its password."""
    parts = urlsplit(url)
    return f"{parts.path.lstrip('/') or 'the default database'} on {parts.hostname or 'a socket'}"


async def connect(url: str) -> Any:
    """Open a connection that cannot write, whatever its role may do.

    Raises:
        one of `DATABASE_ERRORS`.
    """
    return await asyncpg.connect(  # type: ignore[no-untyped-call]
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings={
            "default_transaction_read_only": "on",
            "application_name": "baluarte-auditor",
        },
    )


@asynccontextmanager
async def _reading(url: str) -> AsyncIterator[Any]:
    """Yield a connection inside one read-only snapshot of its database."""
    try:
        connection = await connect(url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection
        finally:
            connection.terminate()
    except DATABASE_ERRORS as error:
        raise AuditError(f"{where(url)}: {type(error).__name__}: {error}") from error


async def _rows(connection: Any, query: str, make: Callable[..., T]) -> tuple[T, ...]:
    return tuple(make(*record) for record in await connection.fetch(query))


def _transaction(*values: Any) -> TransactionRow:
    row_id, user, key, kind, status, *rest = values
    return TransactionRow(row_id, user, key, kind, Status(status), *rest)


def _waiting(payload: bytes) -> MessageRow:
    envelope = _opened(payload)
    return MessageRow(envelope.id, envelope.type, envelope.key)


def _arrived(
    message: str, payload: bytes | None, key: str, consumer: str, done: bool
) -> MessageRow:
    # An inbox keeps what it has processed without its content: the effect tells the rest.
    kind = "" if payload is None else _opened(payload).type
    return MessageRow(message, kind, key, consumer, done)


def _effect(kind: str, transfer: str, recipient: str) -> EffectRow:
    return EffectRow(CONSUMER, kind, transfer, recipient)


def _opened(payload: bytes) -> _Envelope:
    try:
        return _ENVELOPE.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Tells of nothing, so the transfer it should have told of is missed by check 8.
        return _Envelope("", "undecodable", "")
