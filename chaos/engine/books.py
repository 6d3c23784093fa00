"""The books, by the proof of money's own auditor and checker (`chaos/history`)."""

import asyncio
from pathlib import Path
from typing import Final

from chaos.engine.ports import BooksError, Unrest
from chaos.history import AuditError, Auditor, HistoryError, Urls, check, read_history
from chaos.history.verdict import CheckResult
from chaos.record import InvariantResult

REST_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 5.0
"""Without any change, before missing effects count as lost: retries are at most some seconds apart."""


class MoneyBooks:
    """The databases of one platform."""

    def __init__(self, urls: Urls) -> None:
        self._auditor = Auditor(urls)
        self._turn = asyncio.Lock()  # a connection takes one question at a time

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
            report = await asyncio.to_thread(lambda: check(read_history(history), state))
        except (AuditError, HistoryError) as error:
            raise BooksError(str(error)) from error
        return [_result(result) for result in report.results]

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
