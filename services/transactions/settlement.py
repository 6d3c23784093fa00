"""The ledger's answers, written down: status, links and events, in one commit for a whole batch."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import messages
from chassis.database import transaction
from chassis.messages import Event
from chassis.outbox import enqueue
from services.transactions.contract import TransactionSettled, TransactionStatus, TransactionType
from services.transactions.machine import Answer, Contradiction, Refused, Unknown, settle
from services.transactions.rows import COLUMNS, NAMES, Row

# Lock order: pending transactions by id, then the originals of reversals. An original is never
# pending, and has one reversal, so that the second step cannot meet another one's first.
_SETTLE: Final = text(f"""
WITH answered AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]))
    AS a (id, status, reason)
), locked AS (
    SELECT t.id FROM transactions t JOIN answered a ON a.id = t.id
    WHERE t.status = 'PENDING' ORDER BY t.id FOR NO KEY UPDATE OF t
), settled AS (
    UPDATE transactions t
    SET status = a.status, failure_reason = a.reason, processed_at = clock_timestamp(),
        version = t.version + 1, next_attempt_at = NULL, lease_until = NULL
    FROM answered a JOIN locked l ON l.id = a.id
    WHERE t.id = a.id AND t.status = 'PENDING'
    RETURNING t.*
), reversed AS (
    UPDATE transactions o
    SET status = 'REVERSED', reversed_by = s.id, version = o.version + 1
    FROM settled s
    WHERE o.id = s.reverses AND s.status = 'COMPLETED' AND o.status = 'COMPLETED'
    RETURNING o.*
)
SELECT {COLUMNS}
FROM (SELECT * FROM settled UNION ALL SELECT * FROM reversed) t
{NAMES}
""")

_CURRENT: Final = text(f"""
SELECT {COLUMNS} FROM transactions t {NAMES} WHERE t.id = ANY(CAST(:ids AS uuid[]))
""")

_TYPES: Final = {
    TransactionStatus.COMPLETED: messages.TRANSACTION_COMPLETED,
    TransactionStatus.FAILED: messages.TRANSACTION_FAILED,
    TransactionStatus.REVERSED: messages.TRANSACTION_REVERSED,
}


class Settlement:
    """Settles transactions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def settle(self, answers: Mapping[UUID, Answer]) -> "Settled":
        """Write definite answers and their events. Those settled before are left as they are.

        Raises:
            Contradiction: an answer denies what is written; nothing of the batch was changed.
            CodedError: nothing was changed, or OUTCOME_UNKNOWN: COMMIT was lost. Settling again is safe.
        """
        asked = {id_: answer for id_, answer in answers.items() if not isinstance(answer, Unknown)}
        if not asked:
            return Settled([], [])
        async with transaction(self._engine) as uow:
            changed = await _write(uow.connection, asked)
            others = await _check_others(uow.connection, asked, changed)
            await enqueue(uow.connection, _events(changed))
            await uow.commit()
        return Settled(changed, others)


class Settled:
    """What a settlement did.

    Attributes:
        changed: rows that it changed: settled ones, and originals whose reversal completed.
        others: rows that somebody else had settled before, with the same outcome.
    """

    __slots__ = ("changed", "others")

    def __init__(self, changed: list[Row], others: list[Row]) -> None:
        self.changed = changed
        self.others = others

    def by_id(self) -> dict[UUID, Row]:
        """Every row seen, as it is now."""
        return {row.id: row for row in (*self.others, *self.changed)}


async def _write(connection: AsyncConnection, answers: Mapping[UUID, Answer]) -> list[Row]:
    pending = TransactionStatus.PENDING
    parameters = {
        "ids": list(answers),
        "statuses": [settle(pending, answer).value for answer in answers.values()],
        "reasons": [
            answer.reason if isinstance(answer, Refused) else None for answer in answers.values()
        ],
    }
    result = await connection.execute(_SETTLE, parameters)
    rows = [Row.of(record) for record in result.mappings()]
    reversed_ids = {row.id for row in rows if row.status is TransactionStatus.REVERSED}
    for row in rows:
        completed = row.status is TransactionStatus.COMPLETED
        if completed and row.reverses is not None and row.reverses not in reversed_ids:
            raise Contradiction("a reversal was posted whose original is not completed")
    return rows


async def _check_others(
    connection: AsyncConnection, answers: Mapping[UUID, Answer], changed: list[Row]
) -> list[Row]:
    """The rows that were settled already; raises if the answer denies how."""
    missing = answers.keys() - {row.id for row in changed}
    if not missing:
        return []
    result = await connection.execute(_CURRENT, {"ids": list(missing)})
    others = [Row.of(record) for record in result.mappings()]
    for row in others:
        settle(row.status, answers[row.id])
    return others


def _events(rows: list[Row]) -> list[Event]:
    """An event per changed row. Sorted, so that a reversal comes before what it reversed."""
    # A reversed one keeps its own time; it changed when its reversal was processed.
    reversed_at = {row.reverses: row.processed_at for row in rows if row.reverses is not None}
    ordered = sorted(rows, key=lambda row: row.type is not TransactionType.REVERSAL)
    return [
        Event.of(
            TransactionSettled(
                transaction_id=row.id,
                type=row.type,
                status=row.status,
                sender_id=row.sender_id,
                receiver_id=row.receiver_id,
                sender_name=row.sender_name,
                receiver_name=row.receiver_name,
                amount=row.amount,
                currency=row.currency,
                failure_reason=row.failure_reason,
                reverses=row.reverses,
            ),
            topic=messages.TRANSACTION_EVENTS,
            type=_TYPES[row.status],
            key=row.id,
            version=row.version,
            occurred_at=reversed_at.get(row.id) or row.processed_at or row.created_at,
            correlation_id=row.correlation_id,
            traceparent=row.traceparent,
        )
        for row in ordered
    ]
