"""The promises of `chassis.bus.port`, on both adapters."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from chassis.bus.port import Bus, BusUnavailable, Consumer, Delivery, QueueStats
from chassis.messages import (
    USER_BALANCE_UPDATED,
    USER_EVENTS,
    Event,
    EventTooLarge,
    Topology,
    UndecodableMessage,
)
from tests.chassis.bus.conftest import TOPOLOGY, BusMaker, Opener
from tests.chassis.events import event, numbers
from tests.waiting import eventually


async def receive(consumer: Consumer, limit: int = 200) -> Sequence[Delivery]:
    async with asyncio.timeout(10):
        return await consumer.receive(limit)


async def receive_at_least(consumer: Consumer, count: int) -> Sequence[Delivery]:
    """Receive, without acknowledging, until `count` are there."""
    async with asyncio.timeout(10):
        while len(deliveries := await consumer.receive()) < count:
            await asyncio.sleep(0.01)
    return deliveries


async def drain(consumer: Consumer, count: int) -> list[Event]:
    """Receive and acknowledge until `count` different events have come."""
    events: list[Event] = []
    while len({one.id for one in events}) < count:
        deliveries = await receive(consumer)
        # A lost acknowledgement means that they come again. AMQP does not confirm them, so the loss
        # may also go unnoticed here.
        with suppress(BusUnavailable):
            await consumer.acknowledge(deliveries)
        events += [delivery.event for delivery in deliveries]
    return events


async def stats_of(bus: Bus, group: str = "ledger") -> QueueStats:
    return next(one for one in await bus.queue_stats() if one.group == group)


async def published(bus: Bus, *events: Event) -> bool:
    """Whether the bus confirmed them."""
    try:
        await bus.publish(events)
    except BusUnavailable:
        return False
    return True


async def test_published_is_delivered_in_order(bus: Bus) -> None:
    """What was published arrives unchanged, in the order of publication."""
    events = [event(n, f"key{n % 3}") for n in range(30)]
    await bus.publish(events)
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        assert await drain(consumer, 30) == events


async def test_published_before_the_group_ever_consumed(open_bus: Opener) -> None:
    """An event waits for a group whose service has not started yet."""
    first = open_bus()
    await first.publish([event(1)])
    await first.close()
    async with open_bus().consume(USER_EVENTS, "ledger") as consumer:
        assert len(await drain(consumer, 1)) == 1


async def test_each_group_gets_what_it_wants(bus: Bus) -> None:
    """Every group has a copy of its own, and only of the types that it subscribes to."""
    wanted, unwanted = event(1), event(2, type_=USER_BALANCE_UPDATED)
    last = event(3)
    await bus.publish([wanted, unwanted, last])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        assert await drain(consumer, 3) == [wanted, unwanted, last]
    async with bus.consume(USER_EVENTS, "picky") as consumer:
        assert await drain(consumer, 2) == [wanted, last]


async def test_nobody_wants_it(bus: Bus) -> None:
    """An event of a topic without groups is published and gone."""
    await bus.publish([event(1, topic="quiet-events")])
    assert (await stats_of(bus)).depth == 0


async def test_unknown_group_is_refused(bus: Bus) -> None:
    """A consumer outside the topology would never get anything, so it is an error."""
    with pytest.raises(ValueError, match="no group 'nobody'"):
        async with bus.consume(USER_EVENTS, "nobody"):
            pass


async def test_invalid_event_is_refused_and_nothing_sent(bus: Bus) -> None:
    """What no consumer would take is the publisher's error, before anything is sent."""
    with pytest.raises(EventTooLarge):
        await bus.publish([event(1), event(2, "k" * 70_000)])
    with pytest.raises(UndecodableMessage):
        await bus.publish([event(1), event(2, "no spaces")])
    assert (await stats_of(bus)).depth == 0


async def test_unacknowledged_is_answered_again(bus: Bus) -> None:
    """Without an acknowledgement `receive` answers the same, so a failed commit can be repeated."""
    await bus.publish([event(n) for n in range(3)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        await receive_at_least(consumer, 3)
        first = await receive(consumer, 2)
        again = await receive(consumer, 2)
        assert [d.event for d in again] == [d.event for d in first]
        await consumer.acknowledge(again)
        assert [d.event.version for d in await receive(consumer)] == [2]


async def test_part_acknowledged(bus: Bus) -> None:
    """A beginning of what was received can be acknowledged; the rest comes again."""
    await bus.publish([event(n) for n in range(5)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        await consumer.acknowledge((await receive_at_least(consumer, 5))[:2])
        assert [d.event.version for d in await receive(consumer)] == [2, 3, 4]


async def test_consumer_gone_before_acknowledging(bus: Bus) -> None:
    """What a consumer leaves unacknowledged goes to the next one, in order."""
    await bus.publish([event(n) for n in range(250)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        deliveries = await receive_at_least(consumer, 50)
        await consumer.acknowledge(deliveries[:10])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        assert [one.version for one in await drain(consumer, 240)] == list(range(10, 250))


async def test_consumer_crashes_before_acknowledging(maker: BusMaker, open_bus: Opener) -> None:
    """What a consumer holds when its connection breaks is delivered again, in order."""
    bus = open_bus()
    await bus.publish([event(n) for n in range(100)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        deliveries = await receive_at_least(consumer, 30)
        maker.cable.cut()
        again = await drain(consumer, 100)
    seen = [delivery.event for delivery in deliveries]
    assert numbers(seen + again) == {"key": list(range(100))}


async def test_one_active_consumer_per_group(open_bus: Opener) -> None:
    """A second consumer of a group stands by, and takes over when the first one leaves."""
    one, two = open_bus(), open_bus()
    await one.publish([event(1), event(2)])
    async with two.consume(USER_EVENTS, "ledger") as second:
        async with one.consume(USER_EVENTS, "ledger") as first:
            # Whichever comes first is active; the other must stay without deliveries.
            waiting = {
                asyncio.create_task(first.receive()): (first, second),
                asyncio.create_task(second.receive()): (second, first),
            }
            done, pending = await asyncio.wait(
                waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED
            )
            assert len(done) == 1
            _, still = await asyncio.wait(pending, timeout=0.3)
            assert len(still) == 1
            active, _ = waiting[done.pop()]
            if active is first:
                heir = still.pop()
            else:
                heir = None
                still.pop().cancel()
        if heir is None:
            assert [d.event.version for d in await receive(second)] == [1, 2]
        else:
            async with asyncio.timeout(10):
                assert [d.event.version for d in await heir] == [1, 2]


async def test_undecodable_goes_to_the_dead_letters(maker: BusMaker, open_bus: Opener) -> None:
    """Bytes that are no event are set aside, and those before and behind them are delivered."""
    bus = open_bus()
    await bus.publish([event(1)])
    for body in (b"", b"{}", b"\xff\x00", b"[" * 50_000):
        await maker.publish_garbage(USER_EVENTS, USER_BALANCE_UPDATED, body)
    await bus.publish([event(2)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        assert [one.version for one in await drain(consumer, 2)] == [1, 2]

        async def buried() -> bool:
            return (await stats_of(bus)).dead_letters == 4

        await eventually(buried)
        assert (await stats_of(bus, "picky")).dead_letters == 0


async def test_queue_stats(bus: Bus) -> None:
    """Depth counts what is not acknowledged; age is that of the oldest, while one can be known."""
    empty = await stats_of(bus)
    assert (empty.topic, empty.depth, empty.oldest_age) == (USER_EVENTS, 0, None)
    await bus.publish([event(n) for n in range(3)])

    async def depth_is(wanted: int) -> bool:
        return (await stats_of(bus)).depth == wanted

    await eventually(lambda: depth_is(3))
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        deliveries = await receive_at_least(consumer, 3)
        age = (await stats_of(bus)).oldest_age
        assert age is not None
        assert 0 <= age < 60
        await consumer.acknowledge(deliveries[:1])
        await eventually(lambda: depth_is(2))


async def test_stats_tell_who_consumes(open_bus: Opener) -> None:
    """A consumer counts from its first look to its end, and what nobody consumes is ready."""
    watching, consuming = open_bus(), open_bus()

    async def consumers_are(wanted: int) -> bool:
        return (await stats_of(watching)).consumers == wanted

    await watching.publish([event(n) for n in range(3)])
    assert (await stats_of(watching)).consumers == 0
    await eventually(lambda: ready_is(watching, 3))
    async with consuming.consume(USER_EVENTS, "ledger") as consumer:
        assert len(await drain(consumer, 3)) == 3
        await eventually(lambda: consumers_are(1))
    await eventually(lambda: consumers_are(0))
    assert await ready_is(watching, 0)


async def ready_is(bus: Bus, wanted: int) -> bool:
    return (await stats_of(bus)).ready == wanted


async def test_publisher_recovers_from_a_broken_connection(
    maker: BusMaker, open_bus: Opener
) -> None:
    """After its connection broke a publisher either confirms or says so, and then goes on."""
    bus = open_bus()
    await bus.publish([event(0)])
    maker.cable.cut()

    await eventually(lambda: published(bus, event(1)))
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        assert [one.version for one in await drain(consumer, 2)][:2] == [0, 1]


async def test_broker_down(maker: BusMaker, open_bus: Opener) -> None:
    """With the broker away everything says so, quickly; once back, all goes on and nothing is lost."""
    bus = open_bus()
    await bus.publish([event(1)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        receiving = asyncio.create_task(consumer.receive())
        await receiving
        await maker.cable.pull()
        for _ in range(3):
            async with asyncio.timeout(5):
                with pytest.raises(BusUnavailable):
                    await bus.publish([event(2)])
        with pytest.raises(BusUnavailable):
            await bus.ping()
        with pytest.raises(BusUnavailable):
            await bus.queue_stats()
        waiting = asyncio.create_task(drain(consumer, 2))
        await maker.cable.plug()
        await eventually(lambda: published(bus, event(3)))
        assert [one.version for one in await waiting][:2] == [1, 3]


async def test_silent_broker(maker: BusMaker, open_bus: Opener) -> None:
    """A broker that takes bytes and does not answer is given up in bounded time, unconfirmed."""
    maker.confirm_timeout = 2
    bus = open_bus()
    await eventually(lambda: published(bus, event(1)))
    maker.cable.swallow()
    async with asyncio.timeout(25):
        with pytest.raises(BusUnavailable):
            await bus.publish([event(2)])
    await maker.cable.pull()
    await maker.cable.plug()
    await eventually(lambda: published(bus, event(2)))


async def test_opened_while_the_broker_is_down(maker: BusMaker, open_bus: Opener) -> None:
    """A process can start before its broker; its consumers begin when the broker is there."""
    await maker.cable.pull()
    bus = open_bus()
    with pytest.raises(BusUnavailable):
        await bus.publish([event(1)])
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        waiting = asyncio.create_task(drain(consumer, 1))
        await maker.cable.plug()
        await eventually(lambda: published(bus, event(1)))
        assert [one.version for one in await waiting] == [1]


async def test_closed_while_connecting(maker: BusMaker, open_bus: Opener) -> None:
    """Closing a bus ends what waits for its broker, in bounded time."""
    maker.cable.swallow()
    bus = open_bus()
    publishing = asyncio.create_task(bus.publish([event(1)]))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        await bus.close()
        with pytest.raises(BusUnavailable):
            await publishing


async def test_cancelled_publish_keeps_the_order(bus: Bus) -> None:
    """A publish that is cut short and repeated leaves every key in order, as seen by a reader that
    drops duplicates."""
    events = [event(n, f"key{n % 5}") for n in range(400)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await bus.publish(events)
    task = asyncio.create_task(bus.publish(events))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait({task})
    # As a relay does: the same again until it is confirmed.
    await eventually(lambda: published(bus, *events), timeout=30)
    async with bus.consume(USER_EVENTS, "ledger") as consumer:
        found = numbers(await drain(consumer, 400))
    assert found == {f"key{k}": list(range(k, 400, 5)) for k in range(5)}


async def test_publishers_with_an_older_topology_serve_newer_groups(open_bus: Opener) -> None:
    """A group that a newer release has added gets the events of those not yet updated."""
    older: Topology = {USER_EVENTS: {"ledger": ("*",)}}
    await open_bus(TOPOLOGY).ping()
    newer = open_bus(TOPOLOGY)
    await newer.publish([event(1)])
    await open_bus(older).publish([event(2)])
    async with newer.consume(USER_EVENTS, "picky") as consumer:
        assert [one.version for one in await drain(consumer, 2)] == [1, 2]


async def test_ping(bus: Bus) -> None:
    """A broker that is there answers."""
    await bus.ping()
