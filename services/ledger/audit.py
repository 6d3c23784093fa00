"""The ledger's own check: money is conserved, and what is held is what holds say. Read-only.

It reads the accounts in one snapshot, every half minute, bounded by a statement timeout of its own, and
gives way to everybody who waits for an answer. That every balance equals the replay of its entries is the
auditor's to prove, from outside.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import logs
from chassis.database import transaction
from chassis.metrics import Metrics
from resilience import Priority, call_context
from services.ledger.accounts import CURRENCIES

EVERY: Final = 30.0
"""Seconds between two checks: money that is off must be known within a minute."""

STATEMENT_SECONDS: Final = 4.0
"""Longest that the look may take; a ledger that is too large for it needs a replica to be asked."""

_BOUND = text(f"SET LOCAL statement_timeout = {STATEMENT_SECONDS * 1000:.0f}")
_CHECK = text("""
SELECT a.currency, sum(a.balance)::bigint AS balances,
       (sum(a.held) - coalesce((
           SELECT sum(h.amount) FROM holds h WHERE h.status = 'HELD' AND h.currency = a.currency
       ), 0))::bigint AS held
FROM accounts a GROUP BY a.currency
""")
_NOW = text("SELECT extract(epoch FROM now())")

_log = logs.get("ledger.audit")


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How far a currency is off, minor units; both are 0 in a ledger that is right.

    Attributes:
        balances: sum of all balances.
        held: sum of held money less the sum of open holds.
    """

    currency: str
    balances: int
    held: int


class Audit:
    """Checks the ledger and shows the result as metrics. `run_once` is for `Periodic`."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics) -> None:
        self._engine = engine
        self._imbalance = metrics.gauge(
            "ledger_imbalance_minor_units",
            "Sum of all balances, or of held money less open holds; not 0 means that money is wrong",
            currency=sorted(CURRENCIES),
            law=("balances", "holds"),
        )
        self._last_success = metrics.gauge(
            "ledger_check_last_success_timestamp_seconds",
            "When the ledger last checked itself, by its database's clock",
        )

    async def check(self) -> list[Imbalance]:
        """The state of every currency.

        Raises:
            DatabaseError: not checked.
        """
        with call_context(priority=Priority.BACKGROUND):
            async with transaction(self._engine) as uow:
                await uow.connection.execute(_BOUND)
                rows = (await uow.connection.execute(_CHECK)).all()
                now = float(await uow.connection.scalar(_NOW) or 0.0)
        found = [Imbalance(row.currency, row.balances, row.held) for row in rows]
        for item in found:
            self._imbalance.labels(item.currency, "balances").set(item.balances)
            self._imbalance.labels(item.currency, "holds").set(item.held)
            if item.balances or item.held:
                _log.error("the ledger is out of balance", currency=item.currency)
        self._last_success.set(now)
        return found

    async def run_once(self) -> bool:
        """`check`, with nothing left to do after it."""
        await self.check()
        return False
