"""Events for tests: many, small, numbered per key."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec

from chassis.messages import USER_EVENTS, USER_REGISTERED, Event

CORRELATION_ID = "test-correlation"


class Numbered(msgspec.Struct, frozen=True):
    """The payload of a test's event."""

    number: int


def event(
    number: int,
    key: str = "key",
    *,
    topic: str = USER_EVENTS,
    type_: str = USER_REGISTERED,
    id_: UUID | None = None,
) -> Event:
    """Event `number` of `key`."""
    return Event.of(
        Numbered(number),
        id=id_ or uuid4(),
        topic=topic,
        type=type_,
        key=key,
        version=number,
        occurred_at=datetime.now(UTC),
        correlation_id=CORRELATION_ID,
    )


def numbers(events: list[Event]) -> dict[str, list[int]]:
    """The numbers of each key, in the order of the events, each event's first occurrence only."""
    seen: set[UUID] = set()
    found: dict[str, list[int]] = {}
    for one in events:
        if one.id not in seen:
            seen.add(one.id)
            found.setdefault(one.key, []).append(one.version)
    return found
