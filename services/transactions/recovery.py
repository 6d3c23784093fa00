"""Finishing what no request waits for any more: the recovery worker.

It takes pending transactions that are due, sends them under their old ids, and settles what the ledger
answers. Bounded in rate (one batch at a time, a pause after a batch without any outcome, a backoff per
transaction), not in number: it goes on until every outcome is known.
"""

import asyncio
import random
from dataclasses import dataclass, field

from chassis import logs
from chassis.errors import CodedError
from chassis.pacing import Backoff, Pace
from resilience.clock import SYSTEM_CLOCK, Clock
from services.ledger.contract import POSTING_LIMIT
from services.transactions.leases import Leases
from services.transactions.measures import Measures
from services.transactions.posting import Poster

_log = logs.get("recovery")


@dataclass(frozen=True, slots=True)
class RecoveryOptions:
    """Bounds of the recovery worker.

    Attributes:
        batch: transactions per claim; one call of the ledger.
        poll: seconds between looks when nothing is due; jittered, so that replicas spread out.
        pause: seconds to wait after a batch in which nothing became definite, doubling.
        measure_every: seconds between two looks at the backlog, which count all that is pending.
    """

    batch: int = POSTING_LIMIT
    poll: float = 0.5
    pause: Backoff = field(default_factory=lambda: Backoff(0.2, 2.0))
    measure_every: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.batch <= POSTING_LIMIT or self.poll <= 0 or self.measure_every <= 0:
            raise ValueError(f"need 1 <= batch <= {POSTING_LIMIT}, poll > 0 and measure_every > 0")


class Recovery:
    """A `chassis.workers.Worker`; every replica runs one."""

    name = "recovery"

    def __init__(
        self,
        leases: Leases,
        poster: Poster,
        measures: Measures,
        *,
        options: RecoveryOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._leases = leases
        self._poster = poster
        self._measures = measures
        self._options = options or RecoveryOptions()
        self._clock = clock
        self._rng = rng
        self._measured_at: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Recover until `stop` is set; what is under way then is finished."""
        pace = Pace(clock=self._clock, rng=self._rng)
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: pace.stop())
        failures = 0
        try:
            while not pace.stopping:
                progress = await self._turn()
                failures = failures + 1 if progress is False else 0
                if failures:
                    await pace.pause(self._options.pause.pause(failures, pace.random))
                elif progress is None:
                    await pace.pause(self._options.poll * pace.random.uniform(0.5, 1.0))
        finally:
            stopping.cancel()

    async def once(self) -> bool | None:
        """Send what is due: True if some outcome became definite, None if nothing was due.

        Raises:
            CodedError: the database could not be asked.
        """
        due = await self._leases.claim(self._options.batch)
        if not due:
            return None
        self._measures.attempts.inc(len(due))
        _log.info("sending again", count=len(due), transactionId=due[0].row.id)
        return any(not row.pending for row in await self._poster.post(due))

    async def _turn(self) -> bool | None:
        try:
            await self._measure()
            return await self.once()
        except CodedError as error:
            _log.warning("cannot recover now", code=error.code)
            return False

    async def _measure(self) -> None:
        now = self._clock.monotonic()
        if self._measured_at is None or now - self._measured_at >= self._options.measure_every:
            self._measured_at = now
            self._measures.backlog(await self._leases.backlog())
