"""The auditor: looks at the databases while a run lasts, and tells when they have come to rest.

async with Auditor(urls) as auditor:
    run = await drive(config, client, path, sampler=auditor, baseline=await auditor.baseline())
    state = await auditor.state()
report = check(read_history(run.path), state)
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from chaos.history.client import SampleError, Sleep
from chaos.history.events import Baseline, Sample, clip
from chaos.history.snapshot import (
    DATABASE_ERRORS,
    AuditError,
    Urls,
    connect,
    snapshot,
    where,
)
from chaos.history.state import ServerState

SAMPLE_SECONDS: Final = 2.0
"""A sample that takes longer is given up: the run goes on, and the next one follows soon."""
MAX_OVERDRAWN: Final = 20
"""Overdrawn accounts that one sample names: it must fit into a line."""
POLL_SECONDS: Final = 0.25

_SAMPLE: Final = f"""
SELECT currency, sum(balance), count(*),
    (array_agg(id::text) FILTER (
        WHERE overdraft IS NOT NULL AND balance - held < -overdraft
    ))[1:{MAX_OVERDRAWN}]
FROM accounts GROUP BY currency
"""
_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_SETTLING: Final = """
SELECT count(*) FILTER (WHERE status = 'PENDING'),
    (SELECT count(*) FROM outbox WHERE topic = 'transaction-events'),
    coalesce(sum(CASE status WHEN 'PENDING' THEN 0 WHEN 'REVERSED' THEN 2 ELSE 1 END)
        FILTER (WHERE type <> 'REVERSAL'), 0)::bigint
FROM transactions
"""
_CONSUMING: Final = """
SELECT (SELECT count(*) FROM inbox WHERE topic = 'transaction-events' AND state = 'pending'),
    (SELECT count(DISTINCT (transaction_id, type)) FROM notifications
     WHERE transaction_id IS NOT NULL)
"""
_HELD: Final = "SELECT count(*) FROM holds WHERE status = 'HELD'"


@dataclass(frozen=True, slots=True)
class Unrest:
    """What is still moving: what has no final state, messages that wait, effects seen of those owed."""

    unsettled: int
    """Pending transfers, and holds."""
    queued: int
    """Rows of outbox and inbox."""
    owed: int
    seen: int

    @property
    def waiting(self) -> int:
        """Rows that wait for work."""
        return self.unsettled + self.queued


class Auditor:
    """Reads the ledger, transactions and notifications databases; writes nothing, anywhere."""

    def __init__(
        self,
        urls: Urls,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._urls = urls
        self._clock = clock
        self._sleep = sleep
        self._connections: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connection in self._connections.values():
            connection.terminate()
        self._connections.clear()

    async def sample(self) -> Sample:
        """Return the sums of all accounts at one moment.

        Raises:
            SampleError: no answer in time; the next sample starts on a new connection.
        """
        try:
            async with asyncio.timeout(SAMPLE_SECONDS):
                records = await self._fetch(self._urls.ledger, _SAMPLE)
        except (AuditError, TimeoutError) as error:
            self._drop(self._urls.ledger)
            raise SampleError(clip(f"{type(error).__name__}: {error}")) from error
        return Sample(
            totals={currency: int(total) for currency, total, _, _ in records},
            accounts=sum(count for _, _, count, _ in records),
            overdrawn=tuple(name for *_, names in records for name in names or ())[:MAX_OVERDRAWN],
        )

    async def baseline(self) -> Baseline:
        """Return now, on each database's own clock: when a run begins."""
        return Baseline(
            ledger=int((await self._fetch(self._urls.ledger, _NOW))[0][0]),
            transactions=int((await self._fetch(self._urls.transactions, _NOW))[0][0]),
        )

    async def rest(
        self, *, timeout: float = 60.0, still: float = 1.0, patience: float = 10.0
    ) -> bool:
        """Wait until nothing moves any more. Return whether that came to pass.

        Messages in a broker cannot be seen here. So when effects are missing, nothing must have
        moved for longer before they count as lost instead of late.

        Args:
            timeout: seconds after which to give up.
            still: seconds without change when every effect owed is there.
            patience: seconds without change when some are missing.
        """
        deadline = self._clock() + timeout
        last: Unrest | None = None
        since = self._clock()
        while self._clock() < deadline:
            with suppress(AuditError):
                unrest = await self.unrest()
                if unrest != last:
                    last, since = unrest, self._clock()
                calm = self._clock() - since
                enough = still if unrest.seen >= unrest.owed else patience
                if unrest.waiting == 0 and calm >= enough:
                    return True
            await self._sleep(POLL_SECONDS)
        return False

    async def state(self, *, timeout: float = 60.0, patience: float = 10.0) -> ServerState:
        """Wait for rest, at most `timeout` seconds, and take the snapshot either way.

        Raises:
            AuditError: a database cannot be read.
        """
        quiet = await self.rest(timeout=timeout, patience=patience)
        return await snapshot(self._urls, quiet=quiet)

    async def unrest(self) -> Unrest:
        """Return what is still moving at this moment. Raises AuditError."""
        pending, unsent, owed = (await self._fetch(self._urls.transactions, _SETTLING))[0]
        unconsumed, seen = (await self._fetch(self._urls.notifications, _CONSUMING))[0]
        (held,) = (await self._fetch(self._urls.ledger, _HELD))[0]
        return Unrest(pending + held, unsent + unconsumed, owed, seen)

    async def _fetch(self, url: str, query: str) -> list[Any]:
        try:
            connection = self._connections.get(url)
            if connection is None or connection.is_closed():
                connection = self._connections[url] = await connect(url)
            return list(await connection.fetch(query))
        except DATABASE_ERRORS as error:
            self._drop(url)
            raise AuditError(f"{where(url)}: {type(error).__name__}: {error}") from error

    def _drop(self, url: str) -> None:
        connection = self._connections.pop(url, None)
        if connection is not None:
            connection.terminate()
