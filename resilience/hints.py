"""Hints between replicas: when most others have opened a breaker, ours needs less to open.

A hint lowers the local threshold and never opens a breaker by itself: one replica with a bad
network cannot take a dependency from all. Replicas say periodically, and at every change, which of
their breakers are open; whoever is silent for a while is forgotten. Nothing on a call's path waits
for any of it, and with no messages everything is as without hints. Off unless somebody runs it.
"""

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from resilience.breaker import CircuitBreaker
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.events import SILENT, BreakerChanged, Emitter, Event, TierFailed
from resilience.options import Rule, require
from resilience.timeout import AttemptTimeout, TimeoutOptions

__all__ = ["HintChannel", "HintOptions", "ReplicaHints"]

logger = logging.getLogger("resilience")

#: Replicas that are listened to; more are ignored. Messages larger than this are, too.
MAXIMUM_REPLICAS = 500
MAXIMUM_MESSAGE_BYTES = 65_536


class HintChannel(Protocol):
    """Where replicas hear each other, as `resilience.redis_hints`. Messages may get lost."""

    async def publish(self, message: bytes) -> None: ...

    def messages(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class HintOptions:
    """How much others' breakers count here."""

    #: The thresholds of a hinted breaker are multiplied by this.
    factor: float = 0.5
    #: This share of the other replicas must have it open …
    quorum: float = 0.5
    #: … and this many at least: one is an accident of its own.
    minimum_replicas: int = 2
    #: How often we tell what is open here, changed or not.
    heartbeat_seconds: float = 5.0
    #: A replica is forgotten after this much silence: three heartbeats.
    forget_seconds: float = 15.0

    def __post_init__(self) -> None:
        require(
            self,
            Rule(0 < self.factor <= 1, "factor", "must be above 0 and at most 1"),
            Rule(0 < self.quorum <= 1, "quorum", "must be above 0 and at most 1"),
            Rule(
                self.minimum_replicas >= 2,
                "minimum_replicas",
                "must be at least 2, or one bad replica sways all",
            ),
            Rule(self.heartbeat_seconds > 0, "heartbeat_seconds", "must be above 0"),
            Rule(
                self.forget_seconds > self.heartbeat_seconds,
                "forget_seconds",
                "must be above heartbeat_seconds",
            ),
        )


@dataclass(slots=True)
class _Replica:
    version: int
    open: frozenset[str]
    heard_at: float


class ReplicaHints:
    """Tells other replicas which breakers are open here, and hears it from them.

    Add `hook` to the breakers' emitter, and `run()` it in a task. `replica` must be new with each
    start of a process (a UUID): versions begin anew with it.
    """

    def __init__(
        self,
        replica: str,
        channel: HintChannel,
        breakers: Iterable[CircuitBreaker],
        options: HintOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        events: Emitter = SILENT,
    ) -> None:
        self.replica = replica
        self.options = options or HintOptions()
        self._channel = channel
        self._breakers = {breaker.source: breaker for breaker in breakers}
        self._clock = clock
        self._events = events
        self._timeout = AttemptTimeout(
            "hints", TimeoutOptions(self.options.heartbeat_seconds), clock=clock
        )
        self._version = 0
        self._replicas: dict[str, _Replica] = {}
        self._changed = asyncio.Event()

    def hook(self, event: Event) -> None:
        """Have a change of a breaker told at once."""
        if isinstance(event, BreakerChanged):
            self._changed.set()

    async def run(self) -> None:
        """Tell and hear until cancelled. A channel that fails is tried again and again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._hear())
            group.create_task(self._beat())

    def statement(self) -> bytes:
        """What is open here, under the next version."""
        self._version += 1
        names = sorted(name for name, it in self._breakers.items() if it.epoch.name == "open")
        said = {"replica": self.replica, "version": self._version, "open": names}
        return json.dumps(said).encode()

    def receive(self, message: bytes) -> None:
        """Take in what another replica says. Nonsense, echoes and old versions change nothing."""
        said = _parse(message)
        if said is None or said[0] == self.replica:
            return
        replica, version, names = said
        known = self._replicas.get(replica)
        if known is not None and version <= known.version:
            return
        if known is None and len(self._replicas) >= MAXIMUM_REPLICAS:
            return
        now = self._clock.monotonic()
        self._replicas[replica] = _Replica(version, names & self._breakers.keys(), now)
        self.weigh()

    def weigh(self) -> None:
        """Forget silent replicas, and set each breaker's threshold by what the others say."""
        options = self.options
        oldest = self._clock.monotonic() - options.forget_seconds
        self._replicas = {
            name: replica for name, replica in self._replicas.items() if replica.heard_at >= oldest
        }
        needed = max(options.minimum_replicas, math.ceil(options.quorum * len(self._replicas)))
        for source, breaker in self._breakers.items():
            agreeing = sum(source in replica.open for replica in self._replicas.values())
            breaker.threshold_factor = options.factor if agreeing >= needed else 1.0

    async def _tell(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._timeout.call(self._channel.publish, self.statement())
            except Exception as error:  # noqa: BLE001 - the next heartbeat tries again
                self._failed("publish", error)

    async def _beat(self) -> None:
        while True:
            self._changed.set()
            await self._clock.sleep(self.options.heartbeat_seconds)
            self.weigh()

    async def _hear(self) -> None:
        while True:
            try:
                async for message in self._channel.messages():
                    self.receive(message)
            except Exception as error:  # noqa: BLE001 - heard again after a heartbeat
                self._failed("subscribe", error)
            await self._clock.sleep(self.options.heartbeat_seconds)

    def _failed(self, operation: str, error: Exception) -> None:
        logger.debug("hints between replicas: %s failed", operation, exc_info=error)
        self._events.emit(TierFailed("hints", operation, error))


def _parse(message: bytes) -> tuple[str, int, frozenset[str]] | None:
    if len(message) > MAXIMUM_MESSAGE_BYTES:
        return None
    try:
        said: Any = json.loads(message)
        replica, version, names = said["replica"], said["version"], said["open"]
    except (ValueError, KeyError, TypeError):
        return None
    if not (isinstance(replica, str) and isinstance(version, int) and isinstance(names, list)):
        return None
    return replica, version, frozenset(name for name in names if isinstance(name, str))
