"""Who sends a pending transaction, and when: leases and attempts, in the database.

Replicas share the work by SKIP LOCKED, so no two of them take the same transaction; a lease that runs
out (its owner died, or is paused) makes it free again. Sending twice does no harm: the ledger knows
the id.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import autocommit, transaction
from chassis.pacing import Backoff
from services.transactions.rows import COLUMNS, NAMES, Row

LEASE_SECONDS: Final = 10.0
"""A batch that was taken is posted and settled well within this, or its worker is dead."""

RESEND: Final = Backoff(0.5, 10.0)
"""Seconds between attempts of one transaction. The longest also bounds how long it stays PENDING after
the ledger has come back."""

_CLAIM: Final = text(f"""
WITH due AS (
    SELECT id FROM transactions
    WHERE status = 'PENDING' AND next_attempt_at <= now()
        AND (lease_until IS NULL OR lease_until <= now())
    ORDER BY next_attempt_at LIMIT :count FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE transactions t
    SET attempts = t.attempts + 1,
        lease_until = now() + make_interval(secs => :lease),
        next_attempt_at = now() + make_interval(secs => :lease)
    FROM due WHERE t.id = due.id
    RETURNING t.*
)
SELECT t.attempts, t.deadline_at <= now() AS given_up, {COLUMNS} FROM claimed t {NAMES}
""")

# `attempts` tells whether the lease is still ours.
_RELEASE: Final = text("""
WITH unknown AS (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:attempts AS integer[]), CAST(:delays AS double precision[])
    ) AS u (id, attempts, delay)
), locked AS (
    SELECT t.id, u.delay FROM transactions t JOIN unknown u ON u.id = t.id
    WHERE t.status = 'PENDING' AND t.attempts = u.attempts
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE transactions t
SET lease_until = NULL, next_attempt_at = now() + make_interval(secs => l.delay)
FROM locked l WHERE t.id = l.id
""")

_BACKLOG: Final = text("""
SELECT count(*) AS pending,
    coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision AS oldest
FROM transactions WHERE status = 'PENDING'
""")


@dataclass(frozen=True, slots=True)
class Due:
    """A pending transaction that is ours to send; `given_up` once its deadline has passed."""

    row: Row
    attempts: int = 1
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """Pending transactions, and the age of the oldest in seconds by the database's clock."""

    pending: int
    oldest_age: float


class Leases:
    """Hands out pending transactions."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        resend: Backoff = RESEND,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._resend = resend
        self._rng = rng or random.Random()  # noqa: S311 - jitter is not a secret

    async def claim(self, count: int, *, seconds: float = LEASE_SECONDS) -> list[Due]:
        """Take up to `count` that are due, longest due first, for `seconds`."""
        async with transaction(self._engine) as uow:
            result = await uow.connection.execute(_CLAIM, {"count": count, "lease": seconds})
            due = [
                Due(Row.of(record), record["attempts"], record["given_up"])
                for record in result.mappings()
            ]
            if due:
                await uow.commit()
        return due

    async def release(self, due: Sequence[Due]) -> None:
        """Give back those whose outcome is unknown, to be sent again after a backoff."""
        delays = [self._resend.pause(item.attempts, self._rng) for item in due]
        parameters = {
            "ids": [item.row.id for item in due],
            "attempts": [item.attempts for item in due],
            "delays": delays,
        }
        async with transaction(self._engine) as uow:
            await uow.connection.execute(_RELEASE, parameters)
            await uow.commit()

    async def backlog(self) -> Backlog:
        """How much is pending, and for how long."""
        async with autocommit(self._engine) as connection:
            record = (await connection.execute(_BACKLOG)).mappings().one()
        return Backlog(record["pending"], max(0.0, record["oldest"]))
