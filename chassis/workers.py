"""Background work of a process: started with it, restarted with backoff when it fails, stopped in time."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from chassis import logs
from resilience.clock import SYSTEM_CLOCK, Clock

FIRST_BACKOFF = 0.2
MAX_BACKOFF = 10.0
"""Seconds between restarts of a worker that keeps failing; jittered, doubled each time."""

STOP_TIMEOUT = 2.0
"""Seconds that a worker has to finish what it is doing; then it is cancelled."""

_log = logs.get("workers")


class Worker(Protocol):
    """Runs until `stop` is set; must then come to an end soon, leaving nothing half done."""

    @property
    def name(self) -> str: ...

    async def run(self, stop: asyncio.Event) -> None: ...


class Workers:
    """Runs a process' workers, and tells how they are.

    `failing` holds the names of those whose last run ended with an error and that wait to be restarted.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._workers = tuple(workers)
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter is not a secret
        self.failing: set[str] = set()
        self.stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run them for as long as the block lasts."""
        tasks = [
            asyncio.create_task(self._keep(worker), name=worker.name) for worker in self._workers
        ]
        try:
            yield
        finally:
            self.stopping.set()
            await _finish(tasks)

    async def _keep(self, worker: Worker) -> None:
        backoff = FIRST_BACKOFF
        while not self.stopping.is_set():
            started = self._clock.monotonic()
            try:
                await worker.run(self.stopping)
                self.failing.discard(worker.name)
                if self.stopping.is_set():
                    return
                _log.warning("worker ended by itself", worker=worker.name)
            except Exception as error:  # noqa: BLE001 - a worker may fail in any way; it is restarted
                _log.error("worker failed", worker=worker.name, backoff=backoff, exc_info=error)
                self.failing.add(worker.name)
            if self._clock.monotonic() - started > MAX_BACKOFF:
                backoff = FIRST_BACKOFF
            await _wait(self.stopping, backoff * self._rng.uniform(0.5, 1.0))
            backoff = min(backoff * 2, MAX_BACKOFF)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def _finish(tasks: Sequence[asyncio.Task[None]]) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=STOP_TIMEOUT)
    for task in late:
        _log.warning("worker cancelled", worker=task.get_name())
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=STOP_TIMEOUT)
