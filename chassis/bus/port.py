"""What a bus promises. Both adapters pass one suite of tests, `tests/chassis/bus/`.

- **At least once.** `publish` returns when the broker has stored every event for every group that
  wants it; a delivery that is not acknowledged comes again.
- **Order per key.** Events of one key are delivered in the order in which they were published, as long
  as one publisher at a time publishes that key. A group has one active consumer at a time; the others
  stand by. What comes again comes in the same order.
- **Undecodable messages** go to the dead letters of their group; nothing else does. Retry, order
  after a failure, and giving up belong to the inbox.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from chassis import codes
from chassis.errors import CodedError
from chassis.messages import Event, Topology

PREFETCH: Final = 200
"""Most deliveries that a consumer holds unacknowledged: one inbox transaction's worth, and what is
sent again after a crash."""


class BusUnavailable(CodedError):
    """Not confirmed: the events may or may not have been taken. Publish them again, in order."""

    def __init__(self, detail: str = "The message bus cannot be reached.") -> None:
        super().__init__(
            code=codes.UNAVAILABLE.name,
            status=codes.UNAVAILABLE.status,
            title=codes.UNAVAILABLE.meaning,
            detail=detail,
            retryable=True,
            service="bus",
        )


class Unroutable(BusUnavailable):
    """A queue that should exist does not: somebody deleted it. It is declared anew on reconnection."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as a consumer received it.

    Attributes:
        event: the message.
        tag: the adapter's handle for acknowledging it.
    """

    event: Event
    tag: int


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A group's queue, as seen now.

    Attributes:
        topic: what it receives.
        group: who consumes it.
        depth: messages not yet acknowledged, as far as the adapter can see.
        ready: messages that wait for a consumer. PostgreSQL does not tell them from those that a consumer
            holds, so that it is `depth` there.
        consumers: processes that consume it or stand by; on PostgreSQL those that looked at it lately.
        oldest_age: seconds since the oldest of them was published; None when there is none, or when
            this process cannot know (RabbitMQ tells it only to the active consumer).
        dead_letters: undecodable messages set aside.
    """

    topic: str
    group: str
    depth: int
    oldest_age: float | None
    dead_letters: int
    ready: int = 0
    consumers: int = 0


def check_group(topology: Topology, topic: str, group: str) -> None:
    """Raise ValueError if the topology does not know this group of this topic."""
    if group not in topology.get(topic, {}):
        raise ValueError(f"the topology has no group {group!r} of topic {topic!r}")


class Consumer(Protocol):
    """The consumption of one queue by one process. Not for concurrent use."""

    async def receive(self, limit: int = PREFETCH) -> Sequence[Delivery]:
        """The oldest deliveries not yet acknowledged, at least one, in order; waits for the first.

        Without an `acknowledge` in between it answers the same ones again (and perhaps more). Losing
        the broker is not an error: it waits until the broker is back.
        """
        ...

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker to forget them: the first ones that `receive` answered, in order.

        Raises:
            BusUnavailable: it was not told; they will be delivered again.
        """
        ...


class Bus(Protocol):
    """A connection to the broker, opened by the adapter's `open`; reconnects by itself."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Return once every event is stored for every group that wants it, in this order.

        Raises:
            BusUnavailable: not confirmed, at once when the broker is known to be down.
            UndecodableMessage, EventTooLarge: an event that no consumer would take; none was sent.
        """
        ...

    def consume(self, topic: str, group: str) -> AbstractAsyncContextManager[Consumer]:
        """Consume a group's queue. Leaving the context gives what is unacknowledged to the next.

        Raises:
            ValueError: the topology does not know this group of this topic.
        """
        ...

    async def queue_stats(self) -> Sequence[QueueStats]:
        """Every group's queue.

        Raises:
            BusUnavailable: the broker cannot be asked.
        """
        ...

    async def ping(self) -> None:
        """Return if the broker answers.

        Raises:
            BusUnavailable: it does not.
        """
        ...

    async def close(self) -> None:
        """Let go of the broker. What is unacknowledged is delivered to the next consumer."""
        ...
