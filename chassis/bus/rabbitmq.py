"""The bus on RabbitMQ: quorum queues, publisher confirms, one active consumer per group.

Names, with the prefix `baluarte`: a topic exchange `baluarte.<topic>`, routed by event type; a quorum
queue `baluarte.<topic>.<group>` for each group; for the undecodable a direct exchange `baluarte.dead`
and a queue `baluarte.dead.<topic>.<group>` each. They are declared on every connection, so they need
not be set up by hand; one that exists with other arguments is used as it is.

Publishing and consuming have a connection each, since a broker that is short of memory blocks those
that publish. A connection is opened when it is needed, replaced when it is lost, and after a failure not
tried again before a growing pause has passed: in between, callers are refused at once.

Order. Events of a batch are sent one after the other on one channel and confirmed together, so that a
broker that dies keeps a beginning of the batch, which is then sent again. A broker refuses single
messages only if a policy of overflow `reject-publish` tells it to; do not set one on these queues.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, cast

import aio_pika
from aio_pika.abc import AbstractConnection, ExchangeType
from aiormq.channel import Channel
from aiormq.exceptions import AMQPError, ChannelPreconditionFailed, PublishError
from pamqp.commands import Basic

from chassis import logs
from chassis.bus.port import (
    PREFETCH,
    BusUnavailable,
    Delivery,
    QueueStats,
    Unroutable,
    check_group,
)
from chassis.messages import (
    ALL_TYPES,
    TOPOLOGY,
    Event,
    Topology,
    UndecodableMessage,
    decode,
    encode,
    groups_for,
)
from chassis.pacing import Backoff, Pace
from resilience.clock import SYSTEM_CLOCK, Clock

PREFIX: Final = "baluarte"

# What the client library raises when the broker is away, slow, or ends a channel. RuntimeError is its
# way to say that a channel or connection is closed already.
_LOST: Final = (AMQPError, OSError, TimeoutError, RuntimeError)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RabbitOptions:
    """Bounds of the bus on RabbitMQ.

    Attributes:
        prefix: first part of every name in the broker.
        connect_timeout: seconds to open a connection and declare the topology.
        confirm_timeout: seconds for the confirmations of one `publish`; below the time that a relay
            allows, so that a connection that does not answer is replaced.
        reply_timeout: seconds for any other answer.
        heartbeat: seconds; a silent peer is given up after about three of them.
        prefetch: most deliveries held unacknowledged.
        backoff: pauses between attempts to connect.
    """

    prefix: str = PREFIX
    connect_timeout: float = 10.0
    confirm_timeout: float = 4.0
    reply_timeout: float = 5.0
    heartbeat: int = 10
    prefetch: int = PREFETCH
    backoff: Backoff = field(default_factory=lambda: Backoff(0.2, 5.0))


class _Names:
    """What things are called in the broker."""

    def __init__(self, prefix: str) -> None:
        self.dead_exchange = f"{prefix}.dead"
        self._prefix = prefix

    def exchange(self, topic: str) -> str:
        return f"{self._prefix}.{topic}"

    def queue(self, topic: str, group: str) -> str:
        return f"{self._prefix}.{topic}.{group}"

    def dead_queue(self, topic: str, group: str) -> str:
        return f"{self._prefix}.dead.{topic}.{group}"


class _Link:
    """One connection, replaced when lost. `connection` is where every use starts."""

    def __init__(
        self,
        url: str,
        topology: Topology,
        options: RabbitOptions,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._url = url
        self._topology = topology
        self._options = options
        self._names = _Names(options.prefix)
        self._clock = clock
        self._random = rng
        self._connection: AbstractConnection | None = None
        self._opening: asyncio.Task[AbstractConnection] | None = None
        self._failures = 0
        self._not_before = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def connection(self) -> AbstractConnection:
        """The open connection; a new one if it was lost.

        Raises:
            BusUnavailable: it cannot be opened, or was tried a moment ago.
        """
        if self._closed:
            raise BusUnavailable("The message bus is closed.")
        # `is_closed` tells only of our own closing, `connected` also of the broker's.
        if self._connection is not None and self._connection.connected.is_set():
            return self._connection
        if self._opening is None:
            self.drop()
            if self._clock.monotonic() < self._not_before:
                raise BusUnavailable
            self._opening = asyncio.get_running_loop().create_task(self._open())
        opening = self._opening
        try:
            # A caller whose time is up must not undo the work: at a slow broker none would succeed.
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled():
                raise BusUnavailable("The message bus is closed.") from None
            raise

    def drop(self) -> None:
        """Give the connection up; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.retire(connection)

    def retire(self, closable: AbstractConnection | Channel) -> None:
        """Close a connection or channel in the background."""
        task = asyncio.get_running_loop().create_task(self._close(closable))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close for good."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        self.drop()
        await asyncio.gather(*self._closing)

    async def _open(self) -> AbstractConnection:
        try:
            self._connection = await self._connect()
            return self._connection
        finally:
            self._opening = None

    async def _connect(self) -> AbstractConnection:
        connection: AbstractConnection | None = None
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                connection = await aio_pika.connect(self._url, heartbeat=self._options.heartbeat)
                await self._declare(connection)
        except BaseException as error:
            if connection is not None:
                await self._close(connection)
            if not isinstance(error, _LOST):
                raise
            self._failures += 1
            pause = self._options.backoff.pause(self._failures, self._random)
            self._not_before = self._clock.monotonic() + pause
            if self._failures & (self._failures - 1) == 0:
                log.warning(
                    "broker unreachable", attempt=self._failures, error=type(error).__name__
                )
            raise BusUnavailable from None
        self._failures = 0
        return connection

    async def _close(self, closable: AbstractConnection | Channel) -> None:
        with suppress(*_LOST, asyncio.CancelledError):
            async with asyncio.timeout(self._options.reply_timeout):
                await closable.close()

    async def _declare(self, connection: AbstractConnection) -> None:
        channel = await connection.channel()
        await channel.declare_exchange(self._names.dead_exchange, ExchangeType.DIRECT, durable=True)
        for topic, groups in self._topology.items():
            exchange = self._names.exchange(topic)
            await channel.declare_exchange(exchange, ExchangeType.TOPIC, durable=True)
            for group, types in groups.items():
                await self._declare_queues(connection, topic, group)
                queue = await channel.get_queue(self._names.queue(topic, group), ensure=False)
                for type_ in types:
                    await queue.bind(exchange, "#" if type_ == ALL_TYPES else type_)
        await channel.close()

    async def _declare_queues(self, connection: AbstractConnection, topic: str, group: str) -> None:
        dead = self._names.dead_queue(topic, group)
        quorum: dict[str, Any] = {"x-queue-type": "quorum"}
        main = quorum | {
            "x-single-active-consumer": True,
            "x-dead-letter-exchange": self._names.dead_exchange,
            "x-dead-letter-routing-key": dead,
        }
        if _major_version(connection) >= 4:
            # From 4.0 on a queue gives up on a message after 20 deliveries unless told otherwise;
            # a consumer that crashes must not turn good messages into dead ones.
            main["x-delivery-limit"] = -1
        for name, arguments in ((dead, quorum), (self._names.queue(topic, group), main)):
            # A refusal costs the channel, hence one each.
            channel = await connection.channel()
            try:
                queue = await channel.declare_queue(name, durable=True, arguments=arguments)
            except ChannelPreconditionFailed:
                log.warning("queue exists with other arguments", queue=name)
                continue
            if name == dead:
                await queue.bind(self._names.dead_exchange, dead)
            await channel.close()


def _major_version(connection: AbstractConnection) -> int:
    transport = connection.transport
    properties = transport.connection.server_properties if transport is not None else {}
    major = str(properties.get("version", "")).partition(".")[0]
    return int(major) if major.isdigit() else 0


class RabbitBus:
    """A bus on the RabbitMQ at `url` (`amqp://user:password@host:port/vhost`); see `port.Bus`."""

    def __init__(
        self,
        url: str,
        *,
        topology: Topology = TOPOLOGY,
        options: RabbitOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._topology = topology
        self._options = options or RabbitOptions()
        self._names = _Names(self._options.prefix)
        self._clock = clock
        self._random = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._publishing = _Link(url, topology, self._options, clock, self._random)
        self._consuming = _Link(url, topology, self._options, clock, self._random)
        self._channel: Channel | None = None
        self._turn = asyncio.Lock()
        self._consumers: set[RabbitConsumer] = set()

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Bus.publish`."""
        bodies = [encode(event) for event in events]
        async with self._turn:
            try:
                async with asyncio.timeout(self._options.confirm_timeout):
                    channel = await self._publishing_channel()
                    await self._send(channel, events, bodies)
            except BusUnavailable:
                raise
            except BaseException as error:
                # Some may have been sent, so nothing else may follow on this channel before they
                # are sent again.
                abandoned, self._channel = self._channel, None
                if isinstance(error, asyncio.CancelledError):
                    if abandoned is not None:
                        self._publishing.retire(abandoned)
                    raise
                # A new connection also declares anew what somebody has deleted.
                self._publishing.drop()
                if isinstance(error, PublishError):
                    raise Unroutable("A queue of the message bus is missing.") from None
                if isinstance(error, _LOST):
                    raise BusUnavailable("The message bus did not confirm.") from None
                raise

    @asynccontextmanager
    async def consume(self, topic: str, group: str) -> AsyncIterator["RabbitConsumer"]:
        """See `Bus.consume`."""
        check_group(self._topology, topic, group)
        pace = Pace(clock=self._clock, rng=self._random)
        consumer = RabbitConsumer(self._consuming, topic, group, self._options, pace)
        self._consumers.add(consumer)
        try:
            yield consumer
        finally:
            self._consumers.discard(consumer)
            await consumer.release()

    async def queue_stats(self) -> Sequence[QueueStats]:
        """See `Bus.queue_stats`. The depth counts what this process holds, and not what others do."""
        try:
            async with asyncio.timeout(self._options.reply_timeout):
                channel = await (await self._publishing.connection()).channel()
                found = [
                    await self._stats(channel, topic, group)
                    for topic, groups in self._topology.items()
                    for group in groups
                ]
                await channel.close()
        except _LOST:
            raise BusUnavailable from None
        return found

    async def ping(self) -> None:
        """See `Bus.ping`."""
        try:
            async with asyncio.timeout(self._options.reply_timeout):
                channel = await (await self._publishing.connection()).channel()
                await channel.close()
        except _LOST:
            raise BusUnavailable from None

    async def close(self) -> None:
        """See `Bus.close`."""
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    async def _publishing_channel(self) -> Channel:
        connection = await self._publishing.connection()
        if self._channel is None or self._channel.is_closed:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            self._channel = cast("Channel", await channel.get_underlay_channel())
        return self._channel

    async def _send(
        self, channel: Channel, events: Sequence[Event], bodies: Sequence[bytes]
    ) -> None:
        sending = [
            self._send_one(channel, event, body) for event, body in zip(events, bodies, strict=True)
        ]
        for answer in await asyncio.gather(*sending, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer

    async def _send_one(self, channel: Channel, event: Event, body: bytes) -> None:
        # Tasks take the channel's lock in the order of their creation, so the order is kept.
        await channel.basic_publish(
            body,
            exchange=self._names.exchange(event.topic),
            routing_key=event.type,
            mandatory=any(groups_for(self._topology, event.topic, event.type)),
            properties=Basic.Properties(
                content_type="application/json",
                delivery_mode=2,
                message_id=str(event.id),
                message_type=event.type,
                correlation_id=event.correlation_id,
                timestamp=datetime.now(UTC),
            ),
            wait=False,
        )

    async def _stats(self, channel: Any, topic: str, group: str) -> QueueStats:
        queue = await channel.declare_queue(self._names.queue(topic, group), passive=True)
        dead = await channel.declare_queue(self._names.dead_queue(topic, group), passive=True)
        held = [c for c in self._consumers if c.queue == queue.name]
        ready = int(queue.declaration_result.message_count or 0)
        ages = [age for consumer in held if (age := consumer.oldest_age()) is not None]
        return QueueStats(
            topic=topic,
            group=group,
            depth=ready + sum(consumer.held for consumer in held),
            oldest_age=max(ages, default=None),
            dead_letters=int(dead.declaration_result.message_count or 0),
            ready=ready,
            consumers=int(queue.declaration_result.consumer_count or 0),
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """A message as it came, not acknowledged."""

    tag: int
    body: bytes
    published_at: datetime | None


class RabbitConsumer:
    """See `chassis.bus.port.Consumer`. Deliveries wait in a buffer that the prefetch bounds."""

    def __init__(
        self, link: _Link, topic: str, group: str, options: RabbitOptions, pace: Pace
    ) -> None:
        self.queue = _Names(options.prefix).queue(topic, group)
        self._link = link
        self._options = options
        self._pace = pace
        self._names = {"topic": topic, "group": group}
        self._channel: Channel | None = None
        self._buffer: deque[_Held] = deque()

    @property
    def held(self) -> int:
        """Deliveries not yet acknowledged."""
        return len(self._buffer)

    def oldest_age(self) -> float | None:
        """Seconds since the oldest held message was published, by the publisher's clock."""
        if not self._buffer or (then := self._buffer[0].published_at) is None:
            return None
        return max(0.0, (datetime.now(UTC) - then).total_seconds())

    async def receive(self, limit: int = PREFETCH) -> Sequence[Delivery]:
        """See `Consumer.receive`."""
        failures = 0
        while True:
            try:
                await self._subscribe()
                deliveries = await self._decoded(limit)
            except (*_LOST, BusUnavailable) as error:
                await self.release()
                if self._pace.stopping:
                    # The client library may tell a cancellation as a lost connection.
                    raise asyncio.CancelledError from None
                if not isinstance(error, BusUnavailable):
                    self._link.drop()
                failures += 1
                if failures & (failures - 1) == 0:
                    reason = type(error).__name__
                    log.warning("bus not read", error=reason, attempt=failures, **self._names)
                await self._pace.pause(self._options.backoff.pause(failures, self._pace.random))
                continue
            failures = 0
            if deliveries:
                return deliveries
            await self._pace.pause(self._options.heartbeat)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer.acknowledge`."""
        if not deliveries:
            return
        channel, last = self._channel, deliveries[-1].tag
        if channel is None or channel.is_closed or not self._holds(last):
            raise BusUnavailable("The deliveries were given back to the queue.")
        try:
            async with asyncio.timeout(self._options.reply_timeout):
                await channel.basic_ack(last, multiple=True)
        except _LOST:
            await self.release()
            raise BusUnavailable from None
        while self._buffer and self._buffer[0].tag <= last:
            self._buffer.popleft()

    async def release(self) -> None:
        """Give back what is not acknowledged."""
        channel, self._channel = self._channel, None
        self._buffer.clear()
        if channel is not None and not channel.is_closed:
            with suppress(*_LOST):
                await channel.close(timeout=self._options.reply_timeout)

    def _holds(self, tag: int) -> bool:
        return any(held.tag == tag for held in self._buffer)

    async def _subscribe(self) -> None:
        """Have a channel with a consumer on it. What an earlier one held is not ours any more."""
        if self._channel is not None and not self._channel.is_closed:
            return
        await self.release()
        async with asyncio.timeout(self._options.reply_timeout + self._options.connect_timeout):
            connection = await self._link.connection()
            opened = await (await connection.channel()).get_underlay_channel()
            self._channel = channel = cast("Channel", opened)
            await channel.basic_qos(prefetch_count=self._options.prefetch)
            channel.on_consumer_cancel_callbacks.add(self._cancelled)
            channel.closing.add_done_callback(lambda _: self._pace.wake())
            await channel.basic_consume(self.queue, self._arrived)

    async def _arrived(self, message: Any) -> None:
        if message.channel is self._channel:
            header = message.header.properties
            self._buffer.append(
                _Held(message.delivery.delivery_tag, message.body, header.timestamp)
            )
            self._pace.wake()

    async def _cancelled(self, _: object) -> None:
        """The broker ended the subscription, as it does when somebody deletes the queue."""
        self._link.drop()

    async def _decoded(self, limit: int) -> list[Delivery]:
        """The oldest deliveries of the buffer; what cannot be decoded goes to the dead letters."""
        deliveries: list[Delivery] = []
        for held in list(islice(self._buffer, limit)):
            try:
                deliveries.append(Delivery(decode(held.body), held.tag))
            except UndecodableMessage:
                if self._channel is None:
                    return []
                log.error("undecodable message set aside", **self._names)
                async with asyncio.timeout(self._options.reply_timeout):
                    await self._channel.basic_reject(held.tag, requeue=False)
                self._buffer.remove(held)
        return deliveries
