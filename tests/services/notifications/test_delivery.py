"""Deliveries: at least once, bounded, told by events, safe among replicas."""

import asyncio
import random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import messages
from chassis.messages import decode
from chassis.metrics import Metrics
from services.notifications.channels.port import DeliveryFailed, Letter
from services.notifications.contract import NotificationDelivered
from services.notifications.delivery import Deliveries, DeliveryMetrics
from services.users.contract import UserRegistered
from tests.services.notifications.conftest import event, rows, take_in


class Recorder:
    """A channel that notes letters, and fails as told before it takes them."""

    def __init__(self, name: str = "log", failures: list[Exception] | None = None) -> None:
        self.name = name
        self.failures = failures or []
        self.letters: list[Letter] = []

    async def deliver(self, letter: Letter) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.letters.append(letter)


def deliveries(engine: AsyncEngine, *channels: Recorder, max_attempts: int = 20) -> Deliveries:
    return Deliveries(
        engine,
        {channel.name: channel for channel in channels},
        DeliveryMetrics(Metrics(), ("log", "webhook")),
        max_attempts=max_attempts,
        rng=random.Random(0),
    )


async def welcome(engine: AsyncEngine, *, channels: tuple[str, ...] = ("log",)) -> UUID:
    user_id = uuid4()
    data = UserRegistered(user_id=user_id, name="Ana", active=True)
    await take_in(engine, event(data, messages.USER_REGISTERED), channels=channels)
    return user_id


async def make_due(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE deliveries SET next_attempt_at = clock_timestamp()"))


async def states(engine: AsyncEngine) -> list[tuple[str, bool]]:
    found = await rows(engine, "SELECT status, delivered_at IS NOT NULL AS at FROM notifications")
    return [tuple(row) for row in found]


async def test_delivered_with_its_event(engine: AsyncEngine) -> None:
    """A delivery marks the notification and enqueues `notification.delivered`, keyed by recipient."""
    user_id, channel = await welcome(engine), Recorder()

    await deliveries(engine, channel).work()

    assert await states(engine) == [("DELIVERED", True)]
    (row,) = await rows(engine, "SELECT topic, key, payload FROM outbox")
    told = decode(row.payload)
    data = told.read(NotificationDelivered)
    assert (row.topic, row.key, told.version) == ("notification-events", str(user_id), 1)
    assert (data.user_id, data.channel, data.type) == (user_id, "log", "user.registered")
    assert data.notification_id == channel.letters[0].id
    assert told.correlation_id == "0123456789abcdef"


async def test_nothing_is_delivered_twice_once_settled(engine: AsyncEngine) -> None:
    """Looking again finds nothing to do."""
    await welcome(engine)
    channel = Recorder()
    work = deliveries(engine, channel)
    await work.work()
    await make_due(engine)
    assert not await work.work()
    assert len(channel.letters) == 1


async def test_events_of_a_recipient_are_numbered(engine: AsyncEngine) -> None:
    """Each delivery to one recipient has the next version, over batches and channels."""
    user_id = await welcome(engine, channels=("log", "webhook"))
    work = deliveries(engine, Recorder("log"), Recorder("webhook"))
    await work.work()
    data = UserRegistered(user_id=user_id, name="Ana", active=True)
    await take_in(engine, event(data, messages.USER_REGISTERED))
    await work.work()

    found = await rows(engine, "SELECT payload FROM outbox ORDER BY id")
    assert [decode(row.payload).version for row in found] == [1, 2, 3]


async def test_failure_is_tried_again_after_a_pause(engine: AsyncEngine) -> None:
    """A letter that was not taken stays PENDING, rests, and is delivered later with the same id."""
    await welcome(engine)
    channel = Recorder(failures=[DeliveryFailed("HTTP_503")])
    work = deliveries(engine, channel)

    await work.work()
    assert await states(engine) == [("PENDING", False)]
    (row,) = await rows(
        engine,
        "SELECT attempts, last_error, next_attempt_at > clock_timestamp() AS rests FROM deliveries",
    )
    assert tuple(row) == (1, "HTTP_503", True)
    assert not await work.work(), "it rests"

    await make_due(engine)
    await work.work()
    assert await states(engine) == [("DELIVERED", True)]


async def test_wish_to_wait_is_followed(engine: AsyncEngine) -> None:
    """A receiver that asks for a pause gets at least that."""
    await welcome(engine)
    await deliveries(engine, Recorder(failures=[DeliveryFailed("HTTP_429", after=300)])).work()
    (row,) = await rows(
        engine,
        "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) AS pause FROM deliveries",
    )
    assert 290 < row.pause <= 300


@pytest.mark.parametrize(
    ("failure", "max_attempts"),
    [(DeliveryFailed("HTTP_410", permanent=True), 20), (DeliveryFailed("HTTP_503"), 1)],
    ids=["refused for good", "attempts used up"],
)
async def test_giving_up(engine: AsyncEngine, failure: Exception, max_attempts: int) -> None:
    """A refusal for good and the last attempt end as FAILED, with no event."""
    await welcome(engine)
    work = deliveries(engine, Recorder(failures=[failure]), max_attempts=max_attempts)
    await work.work()
    await make_due(engine)
    await work.work()
    assert await states(engine) == [("FAILED", False)]
    assert await rows(engine, "SELECT 1 FROM outbox") == []


async def test_delivered_only_when_every_channel_took_it(engine: AsyncEngine) -> None:
    """With two channels the notification is PENDING until both have it."""
    await welcome(engine, channels=("log", "webhook"))
    webhook = Recorder("webhook", [DeliveryFailed("TIMEOUT")])
    work = deliveries(engine, Recorder("log"), webhook)
    await work.work()
    assert await states(engine) == [("PENDING", False)]
    await make_due(engine)
    await work.work()
    assert await states(engine) == [("DELIVERED", True)]
    assert len(await rows(engine, "SELECT 1 FROM outbox")) == 2


async def test_channel_that_was_removed(engine: AsyncEngine) -> None:
    """Deliveries of a channel that the settings no longer name end as FAILED instead of waiting."""
    await welcome(engine, channels=("webhook",))
    await deliveries(engine, Recorder("log")).work()
    assert await states(engine) == [("FAILED", False)]


async def test_broken_channel_does_not_hold_others_up(engine: AsyncEngine) -> None:
    """An unexpected exception of a channel is one failed attempt; the rest of the batch goes on."""
    await welcome(engine)
    await welcome(engine)
    await deliveries(engine, Recorder(failures=[ZeroDivisionError()])).work()
    assert sorted(await states(engine)) == [("DELIVERED", True), ("PENDING", False)]


async def test_crash_after_delivery_delivers_again(engine: AsyncEngine) -> None:
    """Delivered but not settled: after the lease the same letter comes again, with the same id."""
    await welcome(engine)
    channel = Recorder()
    lost = await deliveries(engine, channel).take()
    await channel.deliver(lost[0].letter)
    assert await deliveries(engine, channel).take() == [], "the lease holds"

    await make_due(engine)
    await deliveries(engine, channel).work()

    assert [letter.id for letter in channel.letters] == [lost[0].letter.id] * 2
    assert await states(engine) == [("DELIVERED", True)]


async def test_late_holder_of_a_lease_settles_nothing(engine: AsyncEngine) -> None:
    """Whoever lost the lease meanwhile cannot overwrite the outcome or tell of it twice."""
    from services.notifications.contract import NotificationStatus
    from services.notifications.delivery import Result

    await welcome(engine)
    work = deliveries(engine, Recorder())
    (late,) = await work.take()
    await make_due(engine)
    await work.work()

    await work.settle([Result(late, NotificationStatus.FAILED, "TIMEOUT")])
    await work.settle([Result(late, NotificationStatus.DELIVERED)])

    assert await states(engine) == [("DELIVERED", True)]
    assert len(await rows(engine, "SELECT 1 FROM outbox")) == 1


async def test_replicas_share_the_work(engine: AsyncEngine) -> None:
    """Several replicas at once deliver everything, and nothing twice."""
    for _ in range(30):
        await welcome(engine, channels=("log", "webhook"))
    log, webhook = Recorder("log"), Recorder("webhook")

    await asyncio.gather(*(deliveries(engine, log, webhook).work() for _ in range(4)))
    while await deliveries(engine, log, webhook).work():
        pass

    assert {status for status, _ in await states(engine)} == {"DELIVERED"}
    for channel in (log, webhook):
        assert len({letter.id for letter in channel.letters}) == len(channel.letters) == 30
    assert len(await rows(engine, "SELECT 1 FROM outbox")) == 60
