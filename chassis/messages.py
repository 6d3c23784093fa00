"""Events between services: the envelope, its encoding, the topics, and who subscribes to what.

An event tells that something has happened to an aggregate. It is written to the producer's outbox
in the transaction that makes it true, and reaches each subscriber's inbox at least once, in order
per `key`. The structs of `data` belong to the producing service's `contract.py`.
"""

import builtins
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Self, TypeVar
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta

USER_EVENTS: Final = "user-events"
TRANSACTION_EVENTS: Final = "transaction-events"
NOTIFICATION_EVENTS: Final = "notification-events"

USER_REGISTERED: Final = "user.registered"
USER_PROFILE_UPDATED: Final = "user.profile.updated"
USER_BANKING_DETAILS_UPDATED: Final = "user.banking-details.updated"
USER_ACTIVATION_UPDATED: Final = "user.activation.updated"
USER_BALANCE_UPDATED: Final = "user.balance.updated"
TRANSACTION_COMPLETED: Final = "transaction.completed"
TRANSACTION_FAILED: Final = "transaction.failed"
TRANSACTION_REVERSED: Final = "transaction.reversed"
NOTIFICATION_DELIVERED: Final = "notification.delivered"

ALL_TYPES: Final = "*"
"""Subscribes a group to every type of a topic."""

MAX_EVENT_BYTES: Final = 64 * 1024
"""Largest encoded event. Events carry ids and figures, not documents; RabbitMQ and the inbox are
sized for small messages, and one huge event would stall every key behind it."""

Topology = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Topic → consumer group → the event types that it wants (or `ALL_TYPES`)."""

TOPOLOGY: Final[Topology] = {
    USER_EVENTS: {
        "ledger": (USER_REGISTERED, USER_ACTIVATION_UPDATED),
        "transactions": (USER_REGISTERED, USER_PROFILE_UPDATED),
        "notifications": (
            USER_REGISTERED,
            USER_PROFILE_UPDATED,
            USER_BANKING_DETAILS_UPDATED,
        ),
    },
    TRANSACTION_EVENTS: {
        "notifications": (TRANSACTION_COMPLETED, TRANSACTION_FAILED, TRANSACTION_REVERSED),
    },
    NOTIFICATION_EVENTS: {},
}
"""Who subscribes to what. Static, so that a queue exists before the first event is published to it:
an event is never lost to a group whose service has not started yet. A group that stands here and
whose service does not consume lets its queue grow; `Bus.queue_stats` shows it."""

T = TypeVar("T")

# Checked when decoding: what passes fits every table and header on the way (PostgreSQL's text, for
# one, takes no NUL), so that nothing but the handler can fail later.
_Name = Annotated[str, Meta(pattern=r"^[a-z0-9.-]{1,80}$")]
_Key = Annotated[str, Meta(pattern=r"^[!-~]{1,200}$")]
_Version = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Instant = Annotated[datetime, Meta(tz=True)]
_CorrelationId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{8,64}$")]
_Traceparent = Annotated[str, Meta(pattern=r"^[0-9a-f-]{1,128}$")]


class UndecodableMessage(ValueError):
    """Bytes that are no event: for the dead letters, since trying again cannot help."""


class EventTooLarge(ValueError):
    """The encoded event exceeds `MAX_EVENT_BYTES`: put an id into it, not the document."""


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What happened, to which aggregate, and in which order.

    Attributes:
        id: identity for dedupe; the same event has the same id however often it is delivered.
        topic: where it is published.
        type: what happened (`user.registered`).
        key: ordering key, the aggregate's id. Events of one key arrive in commit order.
        version: the aggregate's version after the change; read models ignore older ones.
        occurred_at: when, by the producer's database. For people; never compared in a decision.
        correlation_id: the request that caused it.
        data: the payload as JSON, see `read`.
        traceparent: W3C trace context of the cause, if it was traced.
    """

    id: UUID
    topic: _Name
    type: _Name
    key: _Key
    version: _Version
    occurred_at: _Instant
    correlation_id: _CorrelationId
    data: msgspec.Raw
    traceparent: _Traceparent | None = None

    @classmethod
    def of(
        cls,
        data: msgspec.Struct,
        *,
        topic: str,
        type: str,  # noqa: A002 - the wire's word
        key: UUID | str,
        version: int,
        occurred_at: datetime,
        correlation_id: str,
        traceparent: str | None = None,
        id: UUID | None = None,  # noqa: A002 - the wire's word
    ) -> Self:
        """An event that carries `data`; `id` is random unless the producer derives one.

        The fields are checked against what `decode` accepts when the event is encoded.
        """
        return cls(
            id=id or uuid4(),
            topic=topic,
            type=type,
            key=str(key),
            version=version,
            occurred_at=occurred_at.astimezone(UTC),
            correlation_id=correlation_id,
            data=msgspec.Raw(msgspec.json.encode(data)),
            traceparent=traceparent,
        )

    def read(self, payload: builtins.type[T]) -> T:
        """The payload as `payload`.

        Raises:
            UndecodableMessage: it does not fit.
        """
        try:
            return msgspec.json.decode(self.data, type=payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UndecodableMessage(f"{self.type} does not fit {payload.__name__}") from error


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The envelope as JSON.

    Raises:
        EventTooLarge: it exceeds `MAX_EVENT_BYTES`.
        UndecodableMessage: a field is such that no consumer would take it. The producer's mistake,
            found in its own transaction.
    """
    body = _ENCODER.encode(event)
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"{event.type} takes {len(body)} bytes; allowed: {MAX_EVENT_BYTES}")
    decode(body)
    return body


def decode(body: bytes) -> Event:
    """The event that `encode` wrote.

    Raises:
        UndecodableMessage: the bytes are no event, or too many.
    """
    if len(body) > MAX_EVENT_BYTES:
        raise UndecodableMessage(f"{len(body)} bytes; allowed: {MAX_EVENT_BYTES}")
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # The reason names the field, never its value.
        raise UndecodableMessage("the message is not an event envelope") from error


def groups_for(topology: Topology, topic: str, type_: str) -> Iterable[str]:
    """The groups that want events of `type_` on `topic`."""
    for group, types in topology.get(topic, {}).items():
        if ALL_TYPES in types or type_ in types:
            yield group
