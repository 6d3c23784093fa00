"""The event envelope: what survives the wire, and what never gets onto it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import messages
from chassis.messages import (
    TOPOLOGY,
    Event,
    EventTooLarge,
    UndecodableMessage,
    decode,
    encode,
    groups_for,
)
from tests.chassis.events import Numbered, event

NAME = st.from_regex(r"[a-z0-9.-]{1,80}", fullmatch=True)
EVENTS = st.builds(
    Event,
    id=st.uuids(),
    topic=NAME,
    type=NAME,
    key=st.from_regex(r"[!-~]{1,200}", fullmatch=True),
    version=st.integers(0, 2**63 - 1),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
    correlation_id=st.from_regex(r"[A-Za-z0-9-]{8,64}", fullmatch=True),
    data=st.dictionaries(st.text(), st.integers()).map(
        lambda value: msgspec.Raw(msgspec.json.encode(value))
    ),
    traceparent=st.none() | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fullmatch=True),
)


@given(EVENTS)
def test_round_trip(one: Event) -> None:
    """Every valid event comes out of its encoding as it went in."""
    assert decode(encode(one)) == one


@given(st.binary(max_size=300))
def test_arbitrary_bytes(body: bytes) -> None:
    """Bytes that are no event are told by one error, whatever they are."""
    with pytest.raises(UndecodableMessage):
        decode(body)


def test_wire_names() -> None:
    """The envelope's names on the wire are camelCase, and absent fields are absent."""
    fields = msgspec.json.decode(encode(event(1)))
    assert set(fields) == {
        "id", "topic", "type", "key", "version", "occurredAt", "correlationId", "data"
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"topic": "User Events"},
        {"type": ""},
        {"key": ""},
        {"key": "with\x00nul"},
        {"key": "k" * 201},
        {"version": -1},
        {"version": 2**63},
        {"correlation_id": "short"},
        {"occurred_at": datetime(2026, 1, 1)},
        {"traceparent": "\n"},
    ],
)
def test_producer_cannot_write_what_no_consumer_takes(change: dict[str, Any]) -> None:
    """A bad field is found when the event is encoded, in the producer's transaction."""
    with pytest.raises(UndecodableMessage):
        encode(msgspec.structs.replace(event(1), **change))


def test_size_is_bounded() -> None:
    """An event beyond the bound is refused by the producer, and by a consumer too."""
    big = msgspec.structs.replace(event(1), data=msgspec.Raw(b'"' + b"x" * 65_536 + b'"'))
    with pytest.raises(EventTooLarge):
        encode(big)
    with pytest.raises(UndecodableMessage, match="allowed: 65536"):
        decode(msgspec.json.encode(big))


def test_payload_is_read_as_its_type() -> None:
    """The payload comes back as the struct that it was made from."""
    assert event(7).read(Numbered) == Numbered(7)


def test_payload_of_another_type() -> None:
    """A payload that does not fit is undecodable, and the error quotes nothing of it."""

    class Other(msgspec.Struct):
        name: str

    with pytest.raises(UndecodableMessage, match="does not fit Other"):
        event(7).read(Other)


def test_unknown_fields_are_passed_over() -> None:
    """A consumer of an older release takes events of a newer one."""
    fields = msgspec.json.decode(encode(event(1)))
    assert decode(msgspec.json.encode(fields | {"priority": 3})).version == 1


def test_time_is_told_in_utc() -> None:
    """An instant of any zone is written in UTC."""
    zone = timezone(timedelta(hours=-3))
    one = Event.of(
        Numbered(1),
        topic="user-events",
        type="user.registered",
        key=UUID(int=1),
        version=1,
        occurred_at=datetime(2026, 1, 1, 21, tzinfo=zone),
        correlation_id="12345678",
    )
    assert b'"occurredAt":"2026-01-02T00:00:00Z"' in encode(one)
    assert one.key == str(UUID(int=1))


def test_groups_for() -> None:
    """A group gets a type that it names, or every type by `*`, and of no other topic."""
    topology = {"a": {"all": ("*",), "some": ("x",)}}
    assert list(groups_for(topology, "a", "x")) == ["all", "some"]
    assert list(groups_for(topology, "a", "y")) == ["all"]
    assert list(groups_for(topology, "b", "x")) == []


def test_topology_names_known_types() -> None:
    """Every type that somebody subscribes to is one that this module names."""
    known = {value for name, value in vars(messages).items() if name.isupper()
             and isinstance(value, str)}  # fmt: skip
    for topic, groups in TOPOLOGY.items():
        assert topic in known
        assert {type_ for types in groups.values() for type_ in types} <= known
