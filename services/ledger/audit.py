"""The ledger's own check: money is conserved, and what is held is what holds say. Read-only.

It reads the accounts in one snapshot, every half minute, bounded by the statement timeout. That every
balance equals the replay of its entries is the auditor's to prove, from outside.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import logs
from chassis.database import autocommit
from chassis.metrics import Metrics
from services.ledger.accounts import CURRENCIES

EVERY: Final = 30.0
"""Seconds between two checks: money that is off must be known within a minute."""

_CHECK = text("""
SELECT a.currency, sum(a.balance)::bigint AS balances,
       (sum(a.held) - coalesce((
           SELECT sum(h.amount) FROM holds h WHERE h.status = 'HELD' AND h.currency = a.currency
       ), 0))::bigint AS held,
       extract(epoch FROM now()) AS at
FROM accounts a GROUP BY a.currency
""")

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
        async with autocommit(self._engine) as connection:
            rows = (await connection.execute(_CHECK)).all()
        found = [Imbalance(row.currency, row.balances, row.held) for row in rows]
        for item in found:
            self._imbalance.labels(item.currency, "balances").set(item.balances)
            self._imbalance.labels(item.currency, "holds").set(item.held)
            if item.balances or item.held:
                _log.error("the ledger is out of balance", currency=item.currency)
        self._last_success.set(max((float(row.at) for row in rows), default=0.0))
        return found

    async def run_once(self) -> bool:
        """`check`, with nothing left to do after it."""
        await self.check()
        return False
