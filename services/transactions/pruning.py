"""Forgetting idempotency keys that no client will send again."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import logs
from chassis.database import transaction
from chassis.errors import CodedError
from chassis.periodic import Periodic
from resilience.clock import SYSTEM_CLOCK, Clock

KEPT_SECONDS: Final = 7 * 24 * 3600.0
"""Clients may retry for a week; the promise of the API."""

# The key of a pending transaction stays: whoever asks for it must find it.
_PRUNE: Final = text("""
DELETE FROM idempotency WHERE (user_id, key) IN (
    SELECT i.user_id, i.key
    FROM idempotency i JOIN transactions t ON t.id = i.transaction_id
    WHERE i.created_at < now() - make_interval(secs => :kept) AND t.status <> 'PENDING'
    ORDER BY i.created_at LIMIT :count FOR UPDATE OF i SKIP LOCKED
)
""")

_log = logs.get("pruning")


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """Bounds of the pruning worker.

    Attributes:
        kept: seconds that a key is kept at least.
        batch: keys per transaction: short locks, short statements.
        every: seconds between rounds; keys may outlive `kept` by as much.
        pause: seconds between the batches of a round, so that it never competes with payments.
    """

    kept: float = KEPT_SECONDS
    batch: int = 1_000
    every: float = 600.0
    pause: float = 0.2

    def __post_init__(self) -> None:
        if self.kept < KEPT_SECONDS:
            raise ValueError(f"idempotency keys are kept for {KEPT_SECONDS} s at least")


class Pruning:
    """Deletes old keys; `worker` does so now and then. Several may run at once."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        options: PruneOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._engine = engine
        self._options = options or PruneOptions()
        self._clock = clock

    def worker(self) -> Periodic:
        """The background work, a `chassis.workers.Worker`."""
        return Periodic(
            "prune-idempotency", self._turn, every=self._options.every, clock=self._clock
        )

    async def once(self) -> int:
        """Delete one batch of old keys; how many there were."""
        parameters = {"kept": self._options.kept, "count": self._options.batch}
        async with transaction(self._engine) as uow:
            result = await uow.connection.execute(_PRUNE, parameters)
            await uow.commit()
        return result.rowcount

    async def _turn(self) -> bool:
        """One batch; whether there may be more."""
        try:
            pruned = await self.once()
        except CodedError as error:
            _log.warning("cannot prune now", code=error.code)
            return False
        if pruned:
            _log.info("idempotency keys pruned", count=pruned)
        if pruned < self._options.batch:
            return False
        await self._clock.sleep(self._options.pause)
        return True
