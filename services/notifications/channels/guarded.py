"""A channel behind the policies of what it reaches: a receiver that fails is left alone for a while.

The outbox of deliveries retries, with its own backoff; so the pipeline must not.
"""

from resilience import Pipeline, ResilienceError
from resilience.errors import Rejected
from services.notifications.channels.port import Channel, DeliveryFailed, Letter


class GuardedChannel:
    """`Channel` over another one."""

    def __init__(self, channel: Channel, pipeline: Pipeline) -> None:
        self.name = channel.name
        self._deliver = pipeline.mutation(channel.deliver)

    async def deliver(self, letter: Letter) -> None:
        try:
            await self._deliver(letter)
        except Rejected as rejection:
            raise DeliveryFailed("RESTING", after=rejection.retry_after or 0.0) from None
        except ResilienceError:
            raise DeliveryFailed("TIMEOUT") from None
