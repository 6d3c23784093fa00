"""The way to the shared tier: never in the way of a call, whatever state the tier is in.

Reads are bounded by a short timeout. Writes happen behind the call, by one task, from a bounded
backlog in which a newer write to a key replaces the older one. A tier that fails is left alone
for a while; what is not written then is lost, which costs a copy and not an answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple, ParamSpec, TypeVar

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.clock import Clock
from resilience.context import DEADLINE
from resilience.copies import Copy, SharedCopies
from resilience.errors import CircuitOpen
from resilience.events import Emitter, TierFailed
from resilience.timeout import AttemptTimeout, TimeoutOptions

__all__ = ["SharedTier"]

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("resilience")


class _Write(NamedTuple):
    #: None: the copy is to be forgotten.
    copy: Copy | None
    lifetime: float


class SharedTier:
    """Shared copies behind a timeout, a bypass and a bounded backlog of writes."""

    def __init__(
        self,
        source: str,
        copies: SharedCopies,
        *,
        timeout_seconds: float,
        bypass_seconds: float,
        backlog: int,
        clock: Clock,
        events: Emitter,
    ) -> None:
        self.source = source
        self._copies = copies
        self._clock = clock
        self._events = events
        self._backlog_limit = backlog
        self._timeout = AttemptTimeout(source, TimeoutOptions(timeout_seconds), clock=clock)
        # Three failures in a row are no accident; the first good read ends the bypass.
        self._breaker = CircuitBreaker(
            f"{source}:copies",
            BreakerOptions(
                window="consecutive",
                consecutive_failures=3,
                slow_seconds=timeout_seconds,
                break_seconds=bypass_seconds,
                break_max_seconds=max(60.0, bypass_seconds),
                probes=1,
                ramp_seconds=0.0,
            ),
            clock=clock,
            events=events,
        )
        self._writes: dict[str, _Write] = {}
        self._writer: asyncio.Task[None] | None = None
        #: Writes that found the backlog full, or the tier bypassed.
        self.lost_writes = 0

    async def get(self, key: str) -> Copy | None:
        """The shared copy, or None: also when the tier is slow, dead or bypassed."""
        waiting = self._writes.get(key)
        if waiting is not None:
            return waiting.copy
        # Looking for a stand-in begins when the call's own time may be up: the tier's timeout
        # bounds it, not the deadline.
        token = DEADLINE.set(None)
        try:
            found = await self._guarded("get", self._copies.get, key)
        except _Unavailable:
            return None
        finally:
            DEADLINE.reset(token)
        if found is None:
            return None
        data, age = found
        return Copy(data, self._clock.monotonic() - max(0.0, age))

    def put(self, key: str, copy: Copy, lifetime: float) -> None:
        """Write the copy behind the call."""
        self._write(key, _Write(copy, lifetime))

    def discard(self, key: str) -> None:
        """Forget the copy, behind the call."""
        self._write(key, _Write(None, 0.0))

    async def aclose(self) -> None:
        """Write what waits, and end the writer."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    def _write(self, key: str, write: _Write) -> None:
        if key not in self._writes and len(self._writes) >= self._backlog_limit:
            self.lost_writes += 1
            return
        self._writes[key] = write
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        # The task began in some call's context, whose deadline is not the writer's.
        DEADLINE.set(None)
        while self._writes:
            key = next(iter(self._writes))
            write = self._writes[key]
            try:
                if write.copy is None:
                    await self._guarded("discard", self._copies.discard, key)
                else:
                    age = max(0.0, self._clock.monotonic() - write.copy.born)
                    await self._guarded(
                        "put", self._copies.put, key, write.copy.data, age, write.lifetime
                    )
            except _Unavailable as unavailable:
                self.lost_writes += 1
                if unavailable.bypassed:
                    self.lost_writes += len(self._writes) - 1
                    self._writes.clear()
                    return
            if self._writes.get(key) is write:
                del self._writes[key]

    async def _guarded(
        self, operation: str, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        started = self._clock.monotonic()
        try:
            epoch = self._breaker.admit(started)
        except CircuitOpen:
            raise _Unavailable(bypassed=True) from None
        try:
            result = await self._timeout.call(function, *args, **kwargs)
        except BaseException as error:
            now = self._clock.monotonic()
            self._breaker.fail(epoch, error, now - started, now)
            if not isinstance(error, Exception):
                raise
            logger.debug("%s: %s of a shared copy failed", self.source, operation, exc_info=True)
            self._events.emit(TierFailed(self.source, operation, error))
            raise _Unavailable(bypassed=False) from error
        now = self._clock.monotonic()
        self._breaker.succeed(epoch, now - started, now)
        return result


class _Unavailable(Exception):
    """The tier did not answer, or was not asked."""

    def __init__(self, *, bypassed: bool) -> None:
        self.bypassed = bypassed
