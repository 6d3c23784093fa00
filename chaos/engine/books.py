"""The books, by the proof of money's own auditor and checker (`chaos/history`)."""

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec

from chaos.engine.ports import BooksError, Unrest
from chaos.history import AuditError, Auditor, History, HistoryError, Urls, check, read_history
from chaos.history.client import SampleError
from chaos.history.events import Answer, Baseline, Event, Invoke, Ok, Op
from chaos.history.verdict import CheckResult
from chaos.record import InvariantResult

REST_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 5.0
"""Without any change, before missing effects count as lost: retries are at most some seconds apart."""

READER: Final = 1_000_000
"""The process number of our own reads in the history: far from the load's users."""


class MoneyBooks:
    """The databases of one platform."""

    def __init__(self, urls: Urls) -> None:
        self._auditor = Auditor(urls)
        self._baseline: Baseline | None = None
        self._reads: list[Event] = []
        self._turn = asyncio.Lock()  # a connection takes one question at a time

    async def open(self) -> None:
        """Note when the run begins on the databases' own clocks."""
        try:
            async with self._turn:
                self._baseline = await self._auditor.baseline()
        except AuditError as error:
            raise BooksError(str(error)) from error

    async def sample(self) -> None:
        """Read all balances at one moment."""
        began = time.monotonic_ns()
        try:
            async with self._turn:
                found = await self._auditor.sample()
        except SampleError:
            return  # a database under fault; the next sample follows soon
        self._reads += [
            Invoke(time=began, process=READER, op=Op.READ),
            Ok(time=time.monotonic_ns(), process=READER, op=Op.READ, value=Answer(sample=found)),
        ]

    async def unrest(self) -> Unrest | None:
        """What is still moving."""
        try:
            async with self._turn:
                found = await self._auditor.unrest()
        except AuditError:
            return None
        return Unrest(found.unsettled, found.queued + max(0, found.owed - found.seen))

    async def audit(self, history: Path) -> list[InvariantResult]:
        """Every law on the history and the books at rest."""
        try:
            async with self._turn:
                state = await self._auditor.state(timeout=REST_SECONDS, patience=PATIENCE_SECONDS)
            report = await asyncio.to_thread(lambda: check(self._merged(history), state))
        except (AuditError, HistoryError) as error:
            raise BooksError(str(error)) from error
        return [_result(result) for result in report.results]

    def _merged(self, path: Path) -> History:
        """The clients' history with our own reads in their places, counted from our own beginning."""
        told = read_history(path)
        events = sorted((*told.events, *self._reads), key=lambda event: event.time)
        head = told.header
        if self._baseline is not None:
            head = msgspec.structs.replace(head, baseline=self._baseline)
        return History(head, tuple(events), told.path, told.torn)

    async def close(self) -> None:
        """Let go of the databases."""
        await self._auditor.__aexit__(None, None, None)


def _result(result: CheckResult) -> InvariantResult:
    detail = "; ".join(result.evidence) or f"{result.checked:,} {result.check.counts}"
    return InvariantResult(
        number=result.check.number,
        name=result.check.name,
        verdict=result.verdict.value,
        detail=detail,
    )
