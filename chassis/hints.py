"""Replicas of one process tell each other over Valkey which of their breakers are open.

Off unless `BALUARTE_BREAKER_HINTS` is on. A hint lowers the local threshold and never opens a breaker by
itself; without Valkey everything is as without hints. See `resilience.hints`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final
from uuid import uuid4

from redis.asyncio import Redis

from chassis.settings import Secret
from resilience import CircuitBreaker, Emitter
from resilience.hints import HintOptions, ReplicaHints
from resilience.redis_hints import RedisHintChannel

CHANNEL: Final = "baluarte:hints:"

CONNECT_TIMEOUT: Final = 1.0
"""Seconds to open a connection; what is heard on it may take for ever, so reading has no limit."""


class Hints:
    """The worker that tells and hears; a `chassis.workers.Worker`.

    Args:
        service: replicas of the same process hear each other.
        breakers: asked when the worker starts: those that are in use.
        events: what a breaker's change is told by.
    """

    name = "breaker hints"

    def __init__(
        self,
        url: Secret,
        service: str,
        breakers: Callable[[], Iterable[CircuitBreaker]],
        events: Emitter,
        options: HintOptions | None = None,
    ) -> None:
        self._url = url
        self._service = service
        self._breakers = breakers
        self._events = events
        self._options = options

    async def run(self, stop: asyncio.Event) -> None:
        """Tell and hear until `stop`."""
        redis = Redis.from_url(
            self._url.reveal(), socket_connect_timeout=CONNECT_TIMEOUT, socket_timeout=None
        )
        hints = ReplicaHints(
            uuid4().hex,
            RedisHintChannel(redis, CHANNEL + self._service),
            self._breakers(),
            self._options,
            events=self._events,
        )
        self._events.add(hints.hook)
        running = asyncio.create_task(hints.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
        finally:
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)
            await redis.aclose()
