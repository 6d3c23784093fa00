"""The inbox worker: one message of a key at a time, many keys at once, effects once.

Each handler runs in the transaction that marks its message done, on a row lock that keeps other replicas
away. A failure is written in a transaction of its own: try again after a growing pause, or, when it
keeps failing, park. Later messages of the key wait behind it either way; other keys go on.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import logs
from chassis.context import set_correlation_id, set_traceparent
from chassis.database import autocommit, transaction
from chassis.errors import CodedError
from chassis.inbox import statements
from chassis.inbox.options import InboxListener, InboxOptions, InboxStats, SilentInbox
from chassis.inbox.verdicts import Park, Postpone, Verdict, judge
from chassis.messages import Event, decode
from chassis.pacing import Backoff, Pace
from chassis.tracing import Kind, span
from resilience.clock import SYSTEM_CLOCK, Clock

Handler = Callable[[AsyncConnection, Event], Awaitable[None]]
"""Makes an event's effects on the given connection, and nowhere else: it neither commits nor rolls back.
It may be called again for the same event, after a rollback. Calls to other services must be
idempotent, and shorter than `InboxOptions.handler_timeout`."""

log = logs.get(__name__)


class Turn(Enum):
    """What became of a key's turn."""

    HANDLED = "handled"
    FAILED = "failed"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class _Head:
    """The message that is being handled."""

    message_id: UUID
    payload: bytes
    attempts: int
    failures: int


class InboxWorker:
    """Handles a consumer's messages: `run` until `stop`.

    Args:
        engine: the service's database, where the inbox is.
        consumer: the group's name, as the receiver writes it.
        handlers: by event type. A message without one is parked, as nobody could say that it is done.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        consumer: str,
        handlers: Mapping[str, Handler],
        *,
        options: InboxOptions | None = None,
        listener: InboxListener | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._consumer = consumer
        self._handlers = dict(handlers)
        self._options = options or InboxOptions()
        self._listener = listener or SilentInbox()
        self._pace = Pace(clock=clock, rng=rng)
        self._upkeep_pace = Pace(clock=clock, rng=rng)
        self._running: set[str] = set()
        self._after = ""

    async def run(self) -> None:
        """Handle messages until stopped. Outages of the database are waited out."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._dispatch(tasks))
            tasks.create_task(self._upkeep())

    def stop(self) -> None:
        """Make `run` return after the messages under way."""
        self._pace.stop()
        self._upkeep_pace.stop()

    def wake(self) -> None:
        """Look at once: messages were just accepted. Optional, since the worker polls."""
        self._pace.wake()

    async def handle_next(self, key: str) -> Turn:
        """Handle the oldest open message of `key`, if it is due and nobody else has it.

        Raises:
            DatabaseError: the database is away, so that not even a failure could be noted.
        """
        head: _Head | None = None
        started = time.perf_counter()
        try:
            async with transaction(self._engine) as uow:
                head = await self._lock_head(uow.connection, key)
                if head is None:
                    return Turn.NOTHING
                event = decode(head.payload)
                set_correlation_id(event.correlation_id)
                await self._traced(uow.connection, event)
                await uow.connection.execute(
                    statements.DONE, {"consumer": self._consumer, "message_id": head.message_id}
                )
                await uow.commit()
        except Exception as error:
            if head is None:
                raise
            await self._failed(head, error, time.perf_counter() - started)
            return Turn.FAILED
        self._listener.handled(event, time.perf_counter() - started)
        return Turn.HANDLED

    async def stats(self) -> InboxStats:
        """What waits now.

        Raises:
            DatabaseError: the database cannot be asked.
        """
        async with autocommit(self._engine) as connection:
            found = await connection.execute(
                statements.STATS, {"consumer": self._consumer, "limit": self._options.count_limit}
            )
            row = found.one()
        return InboxStats(row.pending, row.parked, max(0.0, float(row.oldest_age or 0.0)))

    async def prune(self) -> int:
        """Forget one batch of messages done long ago; how many.

        Raises:
            DatabaseError: not done.
        """
        async with transaction(self._engine) as uow:
            pruned = await uow.connection.execute(
                statements.PRUNE,
                {"days": self._options.retention_days, "batch": self._options.prune_batch},
            )
            await uow.commit()
        return pruned.rowcount

    async def _lock_head(self, connection: AsyncConnection, key: str) -> _Head | None:
        found = await connection.execute(statements.HEAD, {"consumer": self._consumer, "key": key})
        row = found.one_or_none()
        return None if row is None else _Head(*row)

    async def _traced(self, connection: AsyncConnection, event: Event) -> None:
        with span(f"process {event.type}", Kind.CONSUMER, parent=event.traceparent) as handling:
            set_traceparent(handling.traceparent)
            handling.tell("messaging.destination.name", event.topic)
            await self._handle(connection, event)

    async def _handle(self, connection: AsyncConnection, event: Event) -> None:
        handler = self._handlers.get(event.type)
        if handler is None:
            raise Park("NO_HANDLER")
        try:
            async with asyncio.timeout(self._options.handler_timeout):
                await handler(connection, event)
        except TimeoutError:
            raise Postpone("HANDLER_TIMEOUT") from None

    async def _failed(self, head: _Head, error: Exception, seconds: float) -> None:
        verdict = judge(error)
        failures = head.failures + (1 if verdict.counts else 0)
        park = verdict.at_once or failures >= self._options.max_failures
        self._tell(head, verdict, park, seconds)
        pause = self._options.backoff.pause(head.attempts + 1, self._pace.random)
        async with transaction(self._engine) as uow:
            await uow.connection.execute(
                statements.FAILED,
                {
                    "consumer": self._consumer,
                    "message_id": head.message_id,
                    "state": "parked" if park else "pending",
                    "failures": failures,
                    "attempts": head.attempts,
                    "code": verdict.code,
                    "pause": max(pause, verdict.after),
                },
            )
            await uow.commit()

    def _tell(self, head: _Head, verdict: Verdict, park: bool, seconds: float) -> None:
        event = _event_of(head.payload)
        tell = self._listener.parked if park else self._listener.failed
        tell(event, verdict.code, seconds)
        write = log.error if park else log.warning
        write(
            "message parked" if park else "message not handled",
            messageId=head.message_id,
            type="undecodable" if event is None else event.type,
            code=verdict.code,
            attempt=head.attempts + 1,
        )

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> None:
        failures = 0
        while not self._pace.stopping:
            try:
                started = await self._start_ready(tasks)
            except Exception as error:  # noqa: BLE001 - the worker must outlive every outage
                failures += 1
                log.warning("inbox not read", code=_code(error), attempt=failures)
                await self._pace.pause(BROKEN.pause(failures, self._pace.random))
                continue
            failures = 0
            if not started:
                await self._pace.pause(self._options.poll * self._pace.random.uniform(0.8, 1.2))

    async def _start_ready(self, tasks: asyncio.TaskGroup) -> int:
        """Start keys that are due, in turn, as far as there is room; how many."""
        free = self._options.concurrency - len(self._running)
        if free <= 0:
            return 0
        # Those that run may still be found, as their messages are not done: look beyond them.
        limit = free + len(self._running)
        async with autocommit(self._engine) as connection:
            found = await connection.execute(
                statements.READY, {"consumer": self._consumer, "after": self._after, "limit": limit}
            )
            keys = [row.key for row in found]
        wrapped = bool(self._after) and len(keys) < limit
        started = [key for key in keys if key not in self._running][:free]
        for key in started:
            self._running.add(key)
            tasks.create_task(self._run_key(key))
        self._after = "" if len(keys) < limit else keys[-1]
        return len(started) or (1 if wrapped else 0)

    async def _run_key(self, key: str) -> None:
        turn = Turn.NOTHING
        progress = False
        try:
            for _ in range(self._options.streak):
                turn = await self.handle_next(key)
                progress = progress or turn is not Turn.NOTHING
                if turn is not Turn.HANDLED or self._pace.stopping:
                    break
        except Exception as error:  # noqa: BLE001 - the worker must outlive every outage
            log.warning("key left for later", code=_code(error))
        finally:
            self._running.discard(key)
            # A key that another replica holds still looks due: waking for it would spin.
            if progress:
                self._pace.wake()

    async def _upkeep(self) -> None:
        pace, options = self._upkeep_pace, self._options
        prune_at = pace.clock.monotonic() + options.prune_every * pace.random.random()
        while not pace.stopping:
            try:
                self._listener.backlog(await self.stats())
                if pace.clock.monotonic() >= prune_at:
                    prune_at += options.prune_every
                    while await self.prune() == options.prune_batch and not pace.stopping:
                        await pace.pause(PRUNE_PAUSE)
            except Exception as error:  # noqa: BLE001 - the worker must outlive every outage
                log.warning("inbox upkeep failed", code=_code(error))
            await pace.pause(options.backlog_every)


BROKEN: Final = Backoff(0.2, 5.0)
"""Pauses while the database cannot be read."""

PRUNE_PAUSE: Final = 0.1
"""Seconds between two batches of forgetting, so that it never crowds out the work."""


def _code(error: Exception) -> str:
    return error.code if isinstance(error, CodedError) else type(error).__name__


def _event_of(payload: bytes) -> Event | None:
    try:
        return decode(payload)
    except ValueError:
        return None
