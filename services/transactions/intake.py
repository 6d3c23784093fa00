"""Taking transactions over: the PENDING row and its idempotency key, in one commit.

Once that commit is confirmed, the transaction will end, whatever happens to this process. Many requests
share one statement and one commit; each keeps its own outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import codes
from chassis.database import StatementRejected, UniqueViolation, transaction
from chassis.errors import CodedError
from chassis.tracing import span
from services.transactions.contract import Reverse, TransactionStatus, TransactionType
from services.transactions.machine import LIFETIME_SECONDS
from services.transactions.requests import fingerprint, reversal_of
from services.transactions.rows import COLUMNS, NAMES, Draft, Row

INLINE_LEASE: Final = 5.0
"""Seconds that a new transaction belongs to the request that made it; then the recovery worker may
take it. Longer than one inline posting takes, so that the two seldom send the same thing."""

# Sorted, so that two batches with keys in common wait for each other in one order.
_INSERT: Final = text(
    """
WITH asked AS (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:senders AS uuid[]),
        CAST(:receivers AS uuid[]), CAST(:initiators AS uuid[]), CAST(:amounts AS bigint[]),
        CAST(:currencies AS text[]), CAST(:descriptions AS text[]), CAST(:metadatas AS text[]),
        CAST(:keys AS text[]), CAST(:hashes AS bytea[]), CAST(:correlations AS text[]),
        CAST(:reverses AS uuid[]), CAST(:traces AS text[])
    ) AS a (
        id, type, sender_id, receiver_id, initiated_by, amount, currency, description, metadata,
        key, request_hash, correlation_id, reverses, traceparent
    )
), claimed AS (
    INSERT INTO idempotency (user_id, key, request_hash, transaction_id)
    SELECT initiated_by, key, request_hash, id FROM asked ORDER BY initiated_by, key
    ON CONFLICT DO NOTHING
    RETURNING transaction_id
), begun AS (
    INSERT INTO transactions (
        id, type, sender_id, receiver_id, initiated_by, amount, currency, description, metadata,
        idempotency_key, correlation_id, reverses, traceparent,
        deadline_at, next_attempt_at, lease_until, attempts
    )
    SELECT a.id, a.type, a.sender_id, a.receiver_id, a.initiated_by, a.amount, a.currency,
        a.description, CAST(a.metadata AS jsonb), a.key, a.correlation_id, a.reverses,
        a.traceparent,
        now() + make_interval(secs => :lifetime), now() + make_interval(secs => :lease),
        now() + make_interval(secs => :lease), 1
    FROM asked a JOIN claimed c ON c.transaction_id = a.id
    RETURNING id, sender_id, receiver_id, created_at
)
SELECT t.id, t.created_at, s.name AS sender_name, r.name AS receiver_name
FROM begun t
"""
    + NAMES
)

_SEEN: Final = text(f"""
SELECT i.request_hash, i.user_id, i.key, {COLUMNS}
FROM unnest(CAST(:users AS uuid[]), CAST(:keys AS text[])) AS a (user_id, key)
JOIN idempotency i ON i.user_id = a.user_id AND i.key = a.key
JOIN transactions t ON t.id = i.transaction_id
{NAMES}
""")

_ORIGINAL: Final = text(f"SELECT {COLUMNS} FROM transactions t {NAMES} WHERE t.id = :id")


@dataclass(frozen=True, slots=True)
class Begun:
    """A new transaction: committed as PENDING, to be posted."""

    row: Row


@dataclass(frozen=True, slots=True)
class Replayed:
    """The key was seen before with the same request: its transaction, as it is now."""

    row: Row


Taken = Begun | Replayed
Outcome = Taken | CodedError


class Intake:
    """Writes drafts. Replaceable as a whole: `Transfers` knows only these two methods."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        """One outcome per draft, in order: begun, replayed, or IDEMPOTENCY_CONFLICT.

        Raises:
            CodedError: none was taken (UNAVAILABLE), or OUTCOME_UNKNOWN for all: COMMIT was lost.
        """
        try:
            return await self._take(drafts)
        except StatementRejected as error:
            if len(drafts) == 1:
                return [error]
        # One of them is to blame; it must not take the others with it.
        return [(await self.take([draft]))[0] for draft in drafts]

    async def take_reversal(
        self,
        request: Reverse,
        staff_id: UUID,
        *,
        correlation_id: str,
        traceparent: str | None = None,
    ) -> Taken:
        """Begin the reversal of a transaction, or replay it.

        Raises:
            CodedError: IDEMPOTENCY_CONFLICT, TRANSACTION_NOT_FOUND, NOT_REVERSIBLE, UNAVAILABLE,
                OUTCOME_UNKNOWN.
        """
        key, hash_ = request.idempotency_key, fingerprint("reverse", request)
        try:
            async with transaction(self._engine) as uow:
                seen = await _seen(uow.connection, [(staff_id, key)])
                if (earlier := seen.get((staff_id, key))) is not None:
                    return _replayed(earlier, hash_)
                original = await _original(uow.connection, request.transaction_id)
                draft = reversal_of(
                    original,
                    request,
                    staff_id,
                    correlation_id=correlation_id,
                    traceparent=traceparent,
                )
                begun = await _insert(uow.connection, [draft])
                await uow.commit()
        except UniqueViolation:
            # Its id is the reversal's only one, so somebody else has begun it.
            raise codes.NOT_REVERSIBLE.error(
                "It is being reversed already, or its reversal has failed."
            ) from None
        if draft.id in begun:
            return Begun(begun[draft.id])
        # The same key, at the same time: the other request has it.
        return await self.take_reversal(
            request, staff_id, correlation_id=correlation_id, traceparent=traceparent
        )

    async def _take(self, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        with span("take transactions", causes=[draft.traceparent for draft in drafts]) as batch:
            batch.tell("baluarte.batch", len(drafts))
            return await self._write(drafts)

    async def _write(self, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        async with transaction(self._engine) as uow:
            begun = await _insert(uow.connection, drafts)
            late = [
                (item.initiated_by, item.idempotency_key) for item in drafts if item.id not in begun
            ]
            seen = await _seen(uow.connection, late) if late else {}
            await uow.commit()
        return [_outcome(draft, begun, seen) for draft in drafts]


@dataclass(frozen=True, slots=True)
class _Earlier:
    request_hash: bytes
    row: Row


_Key = tuple[UUID, str]


async def _insert(connection: AsyncConnection, drafts: Sequence[Draft]) -> dict[UUID, Row]:
    """Write those whose key is new; the rows by id."""
    result = await connection.execute(_INSERT, _columns(drafts))
    by_id = {draft.id: draft for draft in drafts}
    return {
        record["id"]: Row.begun(
            by_id[record["id"]],
            created_at=record["created_at"],
            sender_name=record["sender_name"],
            receiver_name=record["receiver_name"],
        )
        for record in result.mappings()
    }


def _columns(drafts: Sequence[Draft]) -> Mapping[str, Any]:
    return {
        "ids": [draft.id for draft in drafts],
        "types": [draft.type.value for draft in drafts],
        "senders": [draft.sender_id for draft in drafts],
        "receivers": [draft.receiver_id for draft in drafts],
        "initiators": [draft.initiated_by for draft in drafts],
        "amounts": [draft.amount for draft in drafts],
        "currencies": [draft.currency for draft in drafts],
        "descriptions": [draft.description for draft in drafts],
        "metadatas": [
            None if draft.metadata is None else msgspec.json.encode(draft.metadata).decode()
            for draft in drafts
        ],
        "keys": [draft.idempotency_key for draft in drafts],
        "hashes": [draft.request_hash for draft in drafts],
        "correlations": [draft.correlation_id for draft in drafts],
        "reverses": [draft.reverses for draft in drafts],
        "traces": [draft.traceparent for draft in drafts],
        "lifetime": float(LIFETIME_SECONDS),
        "lease": INLINE_LEASE,
    }


async def _seen(connection: AsyncConnection, keys: Sequence[_Key]) -> dict[_Key, _Earlier]:
    parameters = {"users": [user for user, _ in keys], "keys": [key for _, key in keys]}
    result = await connection.execute(_SEEN, parameters)
    return {
        (record["user_id"], record["key"]): _Earlier(record["request_hash"], Row.of(record))
        for record in result.mappings()
    }


async def _original(connection: AsyncConnection, transaction_id: UUID) -> Row:
    """The transaction to be reversed. It stays reversible until its only reversal completes."""
    record = (await connection.execute(_ORIGINAL, {"id": transaction_id})).mappings().first()
    if record is None:
        raise codes.TRANSACTION_NOT_FOUND.error(field="transactionId")
    row = Row.of(record)
    if row.type is TransactionType.REVERSAL or row.status is not TransactionStatus.COMPLETED:
        raise codes.NOT_REVERSIBLE.error(
            f"It is a {row.type.value.lower()} and {row.status.value.lower()}."
        )
    return row


def _outcome(draft: Draft, begun: Mapping[UUID, Row], seen: Mapping[_Key, _Earlier]) -> Outcome:
    if (row := begun.get(draft.id)) is not None:
        return Begun(row)
    earlier = seen.get((draft.initiated_by, draft.idempotency_key))
    if earlier is None:
        # Pruned between our two looks, which takes a key that is a week old.
        return codes.UNAVAILABLE.error("The idempotency key has just expired; send it again.")
    try:
        return _replayed(earlier, draft.request_hash)
    except CodedError as conflict:
        return conflict


def _replayed(earlier: _Earlier, request_hash: bytes) -> Replayed:
    if earlier.request_hash != request_hash:
        raise codes.IDEMPOTENCY_CONFLICT.error(field="idempotencyKey")
    return Replayed(earlier.row)
