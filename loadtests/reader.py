"""The auditor's samples while a load runs: a thread of its own, with an event loop of its own.

gevent is not let loose on the standard library in `python -m loadtests run` (LOCUST_SKIP_MONKEY_PATCH), so
that asyncio works here as anywhere else. The two threads write whole lines to one file that is open for
appending, which is safe without a lock.
"""

import asyncio
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from chaos.history.auditor import Auditor
from chaos.history.client import SampleError
from chaos.history.events import Answer, Baseline, HistoryWriter, Op, Request, clip
from chaos.history.snapshot import Urls
from loadtests.limits import MAX_USERS, READ_SECONDS

PROCESS: Final = 2 * MAX_USERS + 1
"""In the history: beyond all users, their second clicks, and the staff."""
JOIN_SECONDS: Final = 5.0
"""A sample ends within two seconds, by the auditor's own limit."""


def urls_of(databases: Mapping[str, str]) -> Urls | None:
    """The auditor's databases in a roster; None where the server is not ours."""
    try:
        return Urls(*(databases[name] for name in ("ledger", "transactions", "notifications")))
    except KeyError:
        return None


def baseline(urls: Urls | None) -> Baseline | None:
    """When the run begins, on the databases' clocks; None without any.

    Raises:
        AuditError: they do not tell. A history without a beginning would accuse every older row.
    """
    return asyncio.run(_baseline(urls)) if urls else None


async def _baseline(urls: Urls) -> Baseline:
    async with Auditor(urls) as auditor:
        return await auditor.baseline()


class Reader:
    """Samples all accounts until the block ends."""

    def __init__(self, urls: Urls | None, writer: HistoryWriter) -> None:
        self._urls = urls
        self._writer = writer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def __enter__(self) -> Self:
        if self._urls is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._urls is not None:
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        if self._urls is not None:
            asyncio.run(self._read(self._urls))

    async def _read(self, urls: Urls) -> None:
        async with Auditor(urls) as auditor:
            while not self._over.is_set():
                self._writer.invoke(PROCESS, Op.READ, "", Request())
                try:
                    sample = await auditor.sample()
                except SampleError as error:
                    self._writer.info(PROCESS, Op.READ, "", Answer(detail=clip(str(error))))
                else:
                    self._writer.ok(PROCESS, Op.READ, "", Answer(sample=sample))
                await asyncio.sleep(READ_SECONDS)
