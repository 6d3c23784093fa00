"""From the bus into the inbox: nothing lost, nothing twice."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.bus.port import BusUnavailable
from chassis.database import DatabaseUnavailable, transaction
from chassis.inbox import InboxReceiver, accept
from chassis.messages import USER_EVENTS, Event
from chassis.pacing import Backoff
from tests.chassis.events import event
from tests.chassis.inbox.conftest import CONSUMER, ListBus, take_in
from tests.waiting import eventually

QUICK = Backoff(0.001, 0.01)


async def inbox_of(engine: AsyncEngine) -> list[tuple[str, str, int]]:
    """Consumer, key and attempts of what is in the inbox, in its order."""
    async with transaction(engine) as uow:
        found = await uow.connection.execute(
            text("SELECT consumer, key, attempts FROM inbox ORDER BY seq")
        )
        return [(row.consumer, row.key, row.attempts) for row in found]


async def test_accepted_once(engine: AsyncEngine) -> None:
    """A message that comes again, in the same batch or later, is passed over."""
    first, second = event(1, "a"), event(2, "b")
    assert await take_in(engine, first, first) == 1
    assert await take_in(engine, first, second) == 1
    assert [key for _, key, _ in await inbox_of(engine)] == ["a", "b"]


async def test_consumers_have_inboxes_of_their_own(engine: AsyncEngine) -> None:
    """The same message is new for another consumer in the same database."""
    one = event(1)
    assert await take_in(engine, one, consumer="one") == 1
    assert await take_in(engine, one, consumer="two") == 1


async def test_committed_before_acknowledged(engine: AsyncEngine) -> None:
    """When the broker forgets a message, it is in the inbox."""
    bus = ListBus([event(1)])
    receiver = InboxReceiver(engine, bus, USER_EVENTS, CONSUMER)

    async def acknowledge(deliveries: Sequence[object]) -> None:
        assert len(await inbox_of(engine)) == 1

    bus.acknowledge = acknowledge  # type: ignore[method-assign]
    assert await receiver.take(bus) == 1


async def test_not_committed_is_not_acknowledged(engine: AsyncEngine) -> None:
    """A message that could not be written to the inbox stays with the broker."""

    async def failing(connection: AsyncConnection, consumer: str, events: Sequence[Event]) -> int:
        await accept(connection, consumer, events)
        raise DatabaseUnavailable("away")

    bus = ListBus([event(1)])
    receiver = InboxReceiver(engine, bus, USER_EVENTS, CONSUMER, accepting=failing)
    with pytest.raises(DatabaseUnavailable):
        await receiver.take(bus)
    assert bus.acknowledged == []
    assert await inbox_of(engine) == []


async def test_lost_acknowledgement_makes_no_second_message(engine: AsyncEngine) -> None:
    """A message whose acknowledgement was lost comes again and is recognised."""
    bus = ListBus([event(1)])
    bus.fail_acknowledge = 1
    receiver = InboxReceiver(engine, bus, USER_EVENTS, CONSUMER)
    with pytest.raises(BusUnavailable):
        await receiver.take(bus)
    assert await receiver.take(bus) == 0
    assert len(await inbox_of(engine)) == 1
    assert len(bus.acknowledged) == 1


async def test_run_outlives_failures_and_wakes_the_worker(engine: AsyncEngine) -> None:
    """Lost acknowledgements are waited out, and new messages are told of once."""
    woken: list[int] = []
    bus = ListBus()
    bus.fail_acknowledge = 3
    receiver = InboxReceiver(
        engine, bus, USER_EVENTS, CONSUMER, backoff=QUICK, on_accepted=lambda: woken.append(1)
    )
    running = asyncio.create_task(receiver.run())
    await bus.publish([event(1)])
    await eventually(lambda: len(bus.acknowledged) == 1)
    assert woken == [1]
    receiver.stop()
    await running


async def test_cancelled_run_raises(engine: AsyncEngine) -> None:
    """A receiver that is cancelled, not stopped, says so."""
    running = asyncio.create_task(InboxReceiver(engine, ListBus(), USER_EVENTS, CONSUMER).run())
    await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
