"""Many callers, few round trips: work that arrives while a batch is under way forms the next batch.

There is no timer: alone, an item starts at once; under load, batches grow by themselves. A caller
that stops waiting does not stop the work, because others share it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Run = Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]]


class Backlogged(Exception):
    """As many items wait as may wait."""


class Stopped(Exception):
    """The process ended the batch: whether it had an effect is not known."""


class Ticket(Generic[T, R]):
    """An item on its way, and its result to come."""

    __slots__ = ("_future", "item", "started")

    def __init__(self, item: T) -> None:
        self.item = item
        self.started = False
        """Whether the item is in a batch: before that, it has had no effect."""
        self._future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting any more when it fails.
        self._future.add_done_callback(_retrieve)

    @property
    def done(self) -> bool:
        return self._future.done()

    async def wait(self, timeout: float) -> R:
        """The result; cancelling or timing out leaves the work alone.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        await asyncio.wait({self._future}, timeout=timeout)
        if not self._future.done():
            raise TimeoutError
        return self._future.result()

    def resolve(self, result: R | Exception) -> None:
        if self._future.done():
            return
        if isinstance(result, Exception):
            self._future.set_exception(result)
        else:
            self._future.set_result(result)


class Coalescer(Generic[T, R]):
    """Runs items in batches of at most `batch_limit`, at most `in_flight` batches at once.

    Args:
        run: does a batch; gives one result or exception per item, in order. An exception that it
            raises goes to every item of the batch.
        join: items that must be waiting before a further batch starts beside a running one: few
            full batches cost less than many small ones.
        backlog_limit: items that may wait for a batch, so that memory and waiting stay bounded.
    """

    def __init__(
        self,
        run: Run[T, R],
        *,
        batch_limit: int,
        in_flight: int,
        backlog_limit: int,
        join: int = 1,
    ) -> None:
        if not (1 <= join <= batch_limit <= backlog_limit and in_flight >= 1):
            raise ValueError("need 1 <= join <= batch_limit <= backlog_limit and in_flight >= 1")
        self._run = run
        self._batch_limit = batch_limit
        self._in_flight = in_flight
        self._backlog_limit = backlog_limit
        self._join = join
        self._waiting: deque[Ticket[T, R]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._woken = False

    def offer(self, item: T) -> Ticket[T, R]:
        """Queue an item.

        Raises:
            Backlogged: too many are waiting; the item was not taken.
        """
        if len(self._waiting) >= self._backlog_limit:
            raise Backlogged
        ticket: Ticket[T, R] = Ticket(item)
        self._waiting.append(ticket)
        if not self._woken:
            # Whoever arrives in this turn of the loop joins the same batch.
            self._woken = True
            asyncio.get_running_loop().call_soon(self._start)
        return ticket

    def withdraw(self, ticket: Ticket[T, R]) -> bool:
        """Take back an item that has not started; tells whether that was still possible."""
        if ticket.started or ticket.done:
            return False
        self._waiting.remove(ticket)
        return True

    async def drain(self) -> None:
        """Wait until nothing waits and nothing runs."""
        while self._running or self._waiting:
            if not self._running:
                self._start()
            await asyncio.wait(set(self._running))

    def _start(self) -> None:
        self._woken = False
        while self._waiting and self._admits():
            size = min(len(self._waiting), self._batch_limit)
            batch = [self._waiting.popleft() for _ in range(size)]
            for ticket in batch:
                ticket.started = True
            # A context of its own: the batch is not the request that happened to start it.
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._do(batch), context=Context())
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _admits(self) -> bool:
        if not self._running:
            return True
        return len(self._running) < self._in_flight and len(self._waiting) >= self._join

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _do(self, batch: list[Ticket[T, R]]) -> None:
        try:
            results = await self._run([ticket.item for ticket in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for {len(batch)} items")
        except Exception as error:  # noqa: BLE001 - told to everybody whose item it was
            for ticket in batch:
                ticket.resolve(error)
        except BaseException:
            for ticket in batch:
                ticket.resolve(Stopped())
            raise
        else:
            for ticket, result in zip(batch, results, strict=True):
                ticket.resolve(result)


def _retrieve(future: asyncio.Future[R]) -> None:
    if not future.cancelled():
        future.exception()
