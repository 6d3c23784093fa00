"""The parts of this service, put together: one place for the process, its tests and its mutants.

Every part that makes a promise can be replaced: the way to the ledger, the intake (idempotency), the
reading of answers, and the handlers of the inbox.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.metrics import Metrics
from resilience.clock import SYSTEM_CLOCK, Clock
from services.ledger.contract import PostingResult
from services.transactions.intake import Intake
from services.transactions.leases import Leases
from services.transactions.ledger_port import POSTING_SECONDS, LedgerPort
from services.transactions.machine import Answer, read_answer
from services.transactions.measures import Measures
from services.transactions.posting import Poster
from services.transactions.pruning import PruneOptions, Pruning
from services.transactions.reading import Reading
from services.transactions.recovery import Recovery, RecoveryOptions
from services.transactions.requests import DemoRail
from services.transactions.settlement import Settlement
from services.transactions.statements import Statements
from services.transactions.transfers import TakesTransactions, Transfers


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service consists of, beyond HTTP and messages."""

    transfers: Transfers
    reading: Reading
    leases: Leases
    poster: Poster
    recovery: Recovery
    pruning: Pruning


def assemble(
    engine: AsyncEngine,
    ledger: LedgerPort,
    metrics: Metrics,
    *,
    rail: DemoRail | None = None,
    intake: TakesTransactions | None = None,
    read: Callable[[PostingResult], Answer] = read_answer,
    posting_seconds: float = POSTING_SECONDS,
    recovery: RecoveryOptions | None = None,
    prune: PruneOptions | None = None,
    queued: Callable[[], None] = lambda: None,
    clock: Clock = SYSTEM_CLOCK,
    rng: random.Random | None = None,
) -> Parts:
    """Put the parts together on the database of `engine` and the given ledger."""
    measures = Measures(metrics, queued)
    leases = Leases(engine, rng=rng)
    settlement = Settlement(engine)
    poster = Poster(ledger, settlement, leases, measures, read=read, seconds=posting_seconds)
    return Parts(
        transfers=Transfers(
            intake or Intake(engine), poster.post, measures, rail=rail or DemoRail()
        ),
        reading=Reading(Statements(engine)),
        leases=leases,
        poster=poster,
        recovery=Recovery(leases, poster, measures, options=recovery, clock=clock, rng=rng),
        pruning=Pruning(engine, options=prune, clock=clock),
    )
