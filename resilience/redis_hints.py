"""Replicas' hints over Redis or Valkey pub/sub, through a narrow port; imports no client library."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol

__all__ = ["PubSubClient", "RedisHintChannel"]


class PubSubClient(Protocol):
    """What is used of a client; `redis.asyncio.Redis` fits."""

    def publish(self, channel: str, message: bytes) -> Awaitable[Any]: ...

    def pubsub(self, *, ignore_subscribe_messages: bool) -> Any: ...


class RedisHintChannel:
    """A `HintChannel` on one pub/sub channel."""

    def __init__(self, client: PubSubClient, channel: str = "resilience:hints") -> None:
        self._client = client
        self._channel = channel

    async def publish(self, message: bytes) -> None:
        await self._client.publish(self._channel, message)

    async def messages(self) -> AsyncIterator[bytes]:
        async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            async for message in subscription.listen():
                data = message.get("data")
                if isinstance(data, bytes):
                    yield data
