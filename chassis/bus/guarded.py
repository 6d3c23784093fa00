"""A bus behind the policies: publishing is guarded, and told truthfully when it was not tried.

Consuming is not: a consumer waits for its broker for as long as it takes, which `Bus.consume` promises,
and health checks ask past the policies.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from chassis.bus.port import Bus, BusUnavailable, Consumer, QueueStats
from chassis.messages import Event
from resilience import Pipeline, ResilienceError


class GuardedBus:
    """`Bus` over another one.

    Args:
        pipeline: the policies around the broker. Publishing again is safe (the inbox drops duplicates),
            but only the relay knows the order, so the pipeline must not retry.
    """

    def __init__(self, bus: Bus, pipeline: Pipeline) -> None:
        self._bus = bus
        self._publish = pipeline.mutation(bus.publish)

    async def publish(self, events: Sequence[Event]) -> None:
        try:
            await self._publish(events)
        except ResilienceError as error:
            raise BusUnavailable(f"Not published: {type(error).__name__}.") from None

    def consume(self, topic: str, group: str) -> AbstractAsyncContextManager[Consumer]:
        return self._bus.consume(topic, group)

    async def queue_stats(self) -> Sequence[QueueStats]:
        return await self._bus.queue_stats()

    async def ping(self) -> None:
        await self._bus.ping()

    async def close(self) -> None:
        await self._bus.close()
