"""Group commit: the one path on which money moves.

Requests put their commands on a bounded queue; one task drains it, decides a batch in memory and writes
it in one transaction. A single posting is a batch of one. What each answer means:

- a result: committed (or found committed), for good;
- UNAVAILABLE or INTERNAL: not done, because COMMIT was never sent, or the server said that it rolled back;
- OUTCOME_UNKNOWN: COMMIT was sent and its answer did not come; every item of the batch gets it.

An error before COMMIT sends the items of the batch one by one, so that a bad one fails alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast
from uuid import UUID

from chassis import codes, logs
from chassis.codes import Code
from chassis.database import DatabaseUnavailable, OutcomeUnknown, settle_commit, translate
from chassis.tracing import current_traceparent, span
from resilience.clock import SYSTEM_CLOCK, Clock
from services.ledger import holds, posting
from services.ledger.book import Book
from services.ledger.contract import POSTING_LIMIT, Posting, PostingResult
from services.ledger.holds import HoldCommand, HoldResult
from services.ledger.store import Keys, Store

Command: TypeAlias = Posting | HoldCommand
Result: TypeAlias = PostingResult | HoldResult

_log = logs.get("ledger.writer")


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """Bounds of the writer.

    Attributes:
        batch_limit: most commands in one transaction: more gain little, and hold locks for longer.
        queue_limit: most commands that wait; 16 batches are well under a second of work, and who waits
            longer than that does better with OVERLOADED.
        batch_seconds: longest that a batch may take up to COMMIT.
        commit_seconds: longest wait for the answer to COMMIT; then the outcome is unknown.
        connect_seconds: longest that opening a session may take.
        rollback_seconds: longest wait for a rollback; then the session is dropped, which does the same.
        singles_seconds: longest that a failed batch is tried item by item; the rest was not done.
        reconnect_pause: least time between two attempts to connect, seconds.
    """

    batch_limit: int = POSTING_LIMIT
    queue_limit: int = 16 * POSTING_LIMIT
    batch_seconds: float = 5.0
    commit_seconds: float = 5.0
    connect_seconds: float = 2.0
    rollback_seconds: float = 1.0
    singles_seconds: float = 5.0
    reconnect_pause: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.batch_limit <= self.queue_limit:
            raise ValueError("batch_limit must be at least 1 and at most queue_limit")


class Observer(Protocol):
    """Is told what the writer does; must not block or raise."""

    def batch(self, results: Sequence[Result], seconds: float) -> None: ...

    def fell_back(self) -> None: ...


class _Ticket:
    """Commands of one request, and the future of their results. Not split over batches."""

    __slots__ = ("commands", "correlation_id", "future", "traceparent")

    def __init__(self, commands: Sequence[Command], correlation_id: str) -> None:
        self.commands = commands
        self.correlation_id = correlation_id
        self.traceparent = current_traceparent()
        self.future: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()


class _NotDone(Exception):
    """An attempt that certainly changed nothing. `lost`: its session is gone too."""

    def __init__(self, cause: BaseException, *, lost: bool) -> None:
        super().__init__(type(cause).__name__)
        self.lost = lost
        self.code = codes.UNAVAILABLE if _may_pass(cause) else codes.INTERNAL


class Writer:
    """Drains the queue for as long as `run` does (a `chassis.workers.Worker`)."""

    name = "posting-writer"

    def __init__(
        self,
        store: Store,
        *,
        options: WriterOptions | None = None,
        observer: Observer | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._options = options or WriterOptions()
        self._observer = observer
        self._clock = clock
        self._queue: deque[_Ticket] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._closed = False
        self._connect_at = 0.0
        self._tell_at = 0.0

    @property
    def queued(self) -> int:
        """Commands that wait."""
        return self._queued

    async def post(self, postings: Sequence[Posting], correlation_id: str) -> list[PostingResult]:
        """The results of `postings`, in their order; each stands alone.

        Raises:
            CodedError: OVERLOADED or UNAVAILABLE; nothing was done.
        """
        return cast("list[PostingResult]", await self._submit(postings, correlation_id))

    async def hold(self, commands: Sequence[HoldCommand], correlation_id: str) -> list[HoldResult]:
        """The results of `commands`, in their order; each stands alone. Raises as `post` does."""
        return cast("list[HoldResult]", await self._submit(commands, correlation_id))

    async def run(self, stop: asyncio.Event) -> None:
        """Post what is queued until `stop` is set and the queue is empty."""
        closer = asyncio.create_task(self._close_on(stop))
        try:
            while not self._cancelled():
                if batch := self._take():
                    await self._settle(batch)
                elif self._closed:
                    return
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            closer.cancel()
            self._store.terminate()
            if stop.is_set():
                self._closed = True
                self._refuse_queued()

    async def _submit(self, commands: Sequence[Command], correlation_id: str) -> list[Result]:
        if self._closed:
            raise codes.UNAVAILABLE.error("The ledger is shutting down.")
        if not commands:
            return []
        count = len(commands)
        if count > self._options.batch_limit:
            raise codes.INVALID_INPUT.error(f"At most {self._options.batch_limit} at once.")
        if self._queued + count > self._options.queue_limit:
            raise codes.OVERLOADED.error("Too many postings are waiting.", retry_after=1.0)
        ticket = _Ticket(commands, correlation_id)
        self._queue.append(ticket)
        self._queued += count
        self._wake.set()
        return await ticket.future

    def _take(self) -> list[_Ticket]:
        """The next batch, without those whose caller has gone: they were not posted and will not be."""
        batch: list[_Ticket] = []
        room = self._options.batch_limit
        queue = self._queue
        while queue and len(queue[0].commands) <= room:
            ticket = queue.popleft()
            self._queued -= len(ticket.commands)
            if not ticket.future.done():
                room -= len(ticket.commands)
                batch.append(ticket)
        return batch

    async def _settle(self, batch: Sequence[_Ticket]) -> None:
        """Answer every ticket of `batch`, whatever happens."""
        started = self._clock.monotonic()
        commands = [
            (command, ticket.correlation_id) for ticket in batch for command in ticket.commands
        ]
        results: list[Result] = []
        try:
            with span(
                "group commit", causes=[ticket.traceparent for ticket in batch]
            ) as committing:
                committing.tell("db.system.name", "postgresql")
                committing.tell("baluarte.batch", len(commands))
                await self._post_all(commands, results)
        finally:
            rest = commands[len(results) :]  # not reached: COMMIT was not sent for them
            results += [_failed(command, codes.UNAVAILABLE) for command, _ in rest]
            at = 0
            for ticket in batch:
                end = at + len(ticket.commands)
                if not ticket.future.done():
                    ticket.future.set_result(results[at:end])
                at = end
            if self._observer is not None:
                self._observer.batch(results, self._clock.monotonic() - started)

    async def _post_all(
        self, commands: Sequence[tuple[Command, str]], results: list[Result]
    ) -> None:
        """Append the result of each command: all in one transaction, or, if that fails, one by one."""
        try:
            results += await self._attempt(commands)
        except OutcomeUnknown as error:
            self._tell("commit not confirmed", error, len(commands))
            results += [_failed(command, codes.OUTCOME_UNKNOWN) for command, _ in commands]
        except _NotDone as error:
            if error.lost or len(commands) == 1:
                self._tell("not posted", error, len(commands))
                results += [_failed(command, error.code) for command, _ in commands]
                return
            self._tell("batch failed, posting singly", error, len(commands))
            if self._observer is not None:
                self._observer.fell_back()
            await self._post_singly(commands, results)

    async def _post_singly(
        self, commands: Sequence[tuple[Command, str]], results: list[Result]
    ) -> None:
        end = self._clock.monotonic() + self._options.singles_seconds
        for single in commands:
            if self._clock.monotonic() > end:
                return
            await self._post_all((single,), results)

    async def _attempt(self, commands: Sequence[tuple[Command, str]]) -> list[Result]:
        """Post `commands` in one transaction. A session that died while idle is replaced once."""
        fresh = not self._store.connected
        try:
            return await self._transaction(commands)
        except _NotDone as error:
            if fresh or not error.lost:
                raise
            return await self._transaction(commands)

    async def _transaction(self, commands: Sequence[tuple[Command, str]]) -> list[Result]:
        try:
            await self._connect()
            async with asyncio.timeout(self._options.batch_seconds):
                book = await self._store.read(_keys(commands))
                results = _decide(book, commands)
                if book.has_changes:
                    await self._store.write(book)
        except Exception as error:
            raise _NotDone(error, lost=not await self._undo(error)) from error
        except BaseException:
            self._store.terminate()
            raise
        if not book.has_changes:
            await self._undo(None)
            return results
        try:
            await settle_commit(self._store.commit(), timeout=self._options.commit_seconds)
        except OutcomeUnknown:
            self._store.terminate()
            raise
        except Exception as error:
            raise _NotDone(error, lost=not await self._undo(error)) from error
        return results

    async def _connect(self) -> None:
        if self._store.connected:
            return
        if (pause := self._connect_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(pause)
        self._connect_at = self._clock.monotonic() + self._options.reconnect_pause
        async with asyncio.timeout(self._options.connect_seconds):
            await self._store.connect()

    async def _undo(self, error: Exception | None) -> bool:
        """Roll back; True if the session is fit for the next batch, else it is dropped."""
        try:
            if not isinstance(error, TimeoutError | OSError) and self._store.connected:
                async with asyncio.timeout(self._options.rollback_seconds):
                    await self._store.rollback()
                return True
        except Exception as failed:  # noqa: BLE001 - dropping the session rolls back as well
            _log.warning("rollback failed", reason=type(failed).__name__)
        self._store.terminate()
        return False

    def _tell(self, event: str, error: Exception, count: int) -> None:
        """Log at most one line a second: an outage is not told for every batch."""
        now = self._clock.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + 1.0
            reason = str(error) if isinstance(error, _NotDone) else type(error).__name__
            _log.warning(event, reason=reason, count=count)

    async def _close_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._closed = True
        self._wake.set()

    def _refuse_queued(self) -> None:
        while self._queue:
            ticket = self._queue.popleft()
            self._queued -= len(ticket.commands)
            if not ticket.future.done():
                refused = [_failed(command, codes.UNAVAILABLE) for command in ticket.commands]
                ticket.future.set_result(refused)

    @staticmethod
    def _cancelled() -> bool:
        """Whether somebody has cancelled us; `settle_commit` does not let that stop a COMMIT."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0


def _decide(book: Book, commands: Sequence[tuple[Command, str]]) -> list[Result]:
    results: list[Result] = []
    for command, correlation_id in commands:
        book.correlation_id = correlation_id
        if isinstance(command, Posting):
            results.append(posting.decide(book, command))
        else:
            results.append(holds.decide(book, command))
    return results


def _keys(commands: Sequence[tuple[Command, str]]) -> Keys:
    accounts: set[UUID] = set()
    transfers: list[UUID] = []
    reversed_ids: list[UUID] = []
    for command, _ in commands:
        accounts.add(command.debit)
        accounts.add(command.credit)
        transfers.append(command.transfer_id)
        if isinstance(command, Posting) and command.reverses is not None:
            transfers.append(command.reverses)
            reversed_ids.append(command.reverses)
    return Keys(list(accounts), transfers, reversed_ids)


def _failed(command: Command, code: Code) -> Result:
    if isinstance(command, Posting):
        return PostingResult(transfer_id=command.transfer_id, posted=None, error=code.name)
    return HoldResult(transfer_id=command.transfer_id, status=None, error=code.name)


def _may_pass(cause: BaseException) -> bool:
    """Whether trying again later may help."""
    default = DatabaseUnavailable if isinstance(cause, TimeoutError | OSError) else None
    return isinstance(translate(cause, default=default), DatabaseUnavailable)
