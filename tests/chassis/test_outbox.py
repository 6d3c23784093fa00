"""The outbox: kept with the change, relayed at least once and in order, never lost."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.bus.port import BusUnavailable
from chassis.database import DatabaseUnavailable, OutcomeUnknown, create_engine, transaction
from chassis.ddl import OUTBOX_V1
from chassis.messages import Event, EventTooLarge
from chassis.outbox import INSERT, OutboxRelay, RelayOptions, enqueue, rows
from chassis.pacing import Backoff
from tests.chassis.events import event, numbers
from tests.conftest import CreateDatabase
from tests.waiting import eventually

QUICK = RelayOptions(poll_min=0.001, poll_max=0.01, backoff=Backoff(0.001, 0.01))


class FakeBus:
    """Takes events; fails as it is told to."""

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.down = False
        self.hold: asyncio.Event | None = None

    async def publish(self, events: Sequence[Event]) -> None:
        if self.down:
            raise BusUnavailable
        self.published += events
        if self.hold is not None:
            await self.hold.wait()


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.count = 0
        self.codes: list[str] = []
        self.backlogs: list[tuple[int, float]] = []

    def published(self, count: int) -> None:
        self.count += count

    def failed(self, code: str) -> None:
        self.codes.append(code)

    def backlog(self, pending: int, oldest_age: float) -> None:
        self.backlogs.append((pending, oldest_age))


@pytest.fixture
def sessions() -> list[Any]:
    """The driver's connections that the engine opened."""
    return []


@pytest.fixture
async def engine(
    create_database: CreateDatabase, sessions: list[Any]
) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(await create_database("outbox"), application_name="test")
    sqlalchemy_event.listen(
        engine.sync_engine, "connect", lambda made, _: sessions.append(made.driver_connection)
    )
    async with transaction(engine) as uow:
        await uow.connection.execute(text(OUTBOX_V1))
        await uow.commit()
    yield engine
    await engine.dispose()


async def write(engine: AsyncEngine, *events: Event) -> None:
    async with transaction(engine) as uow:
        await enqueue(uow.connection, events)
        await uow.commit()


async def waiting(engine: AsyncEngine) -> int:
    async with transaction(engine) as uow:
        return int(await uow.connection.scalar(text("SELECT count(*) FROM outbox")) or 0)


async def test_relayed_in_order_and_deleted(engine: AsyncEngine) -> None:
    """Events reach the bus as they were written, oldest first, and leave the outbox."""
    events = [event(n) for n in range(10)]
    await write(engine, *events[:6])
    await write(engine, *events[6:])
    bus = FakeBus()
    relay = OutboxRelay(engine, bus, options=RelayOptions(batch=4))
    assert [await relay.relay_batch() for _ in range(4)] == [4, 4, 2, 0]
    assert bus.published == events
    assert await waiting(engine) == 0


async def test_rolled_back_with_its_change(engine: AsyncEngine) -> None:
    """An event of a transaction that did not commit is never published."""
    async with transaction(engine) as uow:
        await enqueue(uow.connection, [event(1)])
    bus = FakeBus()
    assert await OutboxRelay(engine, bus).relay_batch() == 0
    assert bus.published == []


async def test_insert_on_a_driver_connection(engine: AsyncEngine) -> None:
    """The statement for writers of their own gives the same rows in the same order."""
    events = [event(n, f"key{n % 2}") for n in range(5)]
    async with transaction(engine) as uow:
        raw = await uow.connection.get_raw_connection()
        await raw.driver_connection.execute(INSERT, *rows(events))  # type: ignore[union-attr]
    bus = FakeBus()
    await OutboxRelay(engine, bus).relay_batch()
    assert bus.published == events


async def test_too_large_is_the_producers_error(engine: AsyncEngine) -> None:
    """An event that no consumer would take fails in the producer's own transaction."""
    with pytest.raises(EventTooLarge):
        await write(engine, event(1, "k" * 70_000))
    assert await waiting(engine) == 0


async def test_bus_down_loses_nothing(engine: AsyncEngine) -> None:
    """Events wait while the bus is down, and go out in order when it is back."""
    bus, listener = FakeBus(), Recorder()
    bus.down = True
    relay = OutboxRelay(engine, bus, options=QUICK, listener=listener)
    running = asyncio.create_task(relay.run())
    events = [event(n) for n in range(3)]
    await write(engine, *events)
    await eventually(lambda: len(listener.codes) >= 3)
    assert await waiting(engine) == 3
    bus.down = False
    await eventually(lambda: listener.count == 3)
    assert bus.published == events
    assert set(listener.codes) == {"UNAVAILABLE"}
    relay.stop()
    await running


async def test_cancelled_between_publish_and_delete_repeats(engine: AsyncEngine) -> None:
    """A relay that dies after the bus has taken a batch publishes it again: duplicates, no loss."""
    bus = FakeBus()
    bus.hold = asyncio.Event()
    await write(engine, event(1), event(2))
    dying = asyncio.create_task(OutboxRelay(engine, bus).relay_batch())
    await eventually(lambda: len(bus.published) == 2)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    assert await waiting(engine) == 2
    bus.hold.set()
    assert await OutboxRelay(engine, bus).relay_batch() == 2
    assert [one.version for one in bus.published] == [1, 2, 1, 2]
    assert await waiting(engine) == 0


async def end_session(engine: AsyncEngine, session: Any) -> None:
    """Have the server end a session; it has, when this returns."""
    async with transaction(engine) as uow:
        end = text("SELECT pg_terminate_backend(:pid, 4000)")
        assert await uow.connection.scalar(end, {"pid": session.get_server_pid()})


async def test_connection_killed_between_publish_and_delete_repeats(
    engine: AsyncEngine, sessions: list[Any]
) -> None:
    """A relay that sees its database connection die while the bus confirms deletes nothing."""
    bus = FakeBus()
    bus.hold = asyncio.Event()
    await write(engine, event(1))
    relaying = asyncio.create_task(OutboxRelay(engine, bus).relay_batch())
    await eventually(lambda: len(bus.published) == 1)
    (session,) = (one for one in sessions if one.is_in_transaction())
    await end_session(engine, session)
    await eventually(session.is_closed)
    bus.hold.set()
    with pytest.raises(DatabaseUnavailable):
        await relaying
    assert await OutboxRelay(engine, bus).relay_batch() == 1
    assert [one.version for one in bus.published] == [1, 1]


async def test_connection_killed_unseen_before_the_delete_commits_repeats(
    engine: AsyncEngine, sessions: list[Any]
) -> None:
    """A relay that learns only from its COMMIT that its connection died does not claim to know more."""
    bus = FakeBus()
    bus.hold = asyncio.Event()
    await write(engine, event(1))
    relaying = asyncio.create_task(OutboxRelay(engine, bus).relay_batch())
    await eventually(lambda: len(bus.published) == 1)
    (session,) = (one for one in sessions if one.is_in_transaction())
    session._transport.pause_reading()
    await end_session(engine, session)
    loop = asyncio.get_running_loop()
    # Told just before COMMIT is sent; what is called soon comes after.
    sqlalchemy_event.listen(
        engine.sync_engine, "commit", lambda _: loop.call_soon(session._transport.resume_reading)
    )
    bus.hold.set()
    with pytest.raises(OutcomeUnknown):
        await relaying
    assert await OutboxRelay(engine, bus).relay_batch() == 1
    assert [one.version for one in bus.published] == [1, 1]


async def test_one_relay_at_a_time(engine: AsyncEngine) -> None:
    """While a relay has a batch under way, another one's turn moves nothing."""
    bus = FakeBus()
    bus.hold = asyncio.Event()
    await write(engine, event(1))
    leading = asyncio.create_task(OutboxRelay(engine, bus).relay_batch())
    await eventually(lambda: len(bus.published) == 1)
    await write(engine, event(2))
    assert await OutboxRelay(engine, bus).relay_batch() == 0
    assert [one.version for one in bus.published] == [1]
    bus.hold.set()
    assert await leading == 1


async def test_unconfirmed_in_time_is_not_deleted(engine: AsyncEngine) -> None:
    """A bus that does not confirm is given up in bounded time, and the batch is kept."""
    bus = FakeBus()
    bus.hold = asyncio.Event()
    await write(engine, event(1))
    relay = OutboxRelay(engine, bus, options=RelayOptions(publish_timeout=0.05))
    with pytest.raises(BusUnavailable):
        await relay.relay_batch()
    assert await waiting(engine) == 1


async def test_lower_id_that_commits_later_is_not_skipped(engine: AsyncEngine) -> None:
    """An event whose id was drawn first and committed last is relayed all the same."""
    bus = FakeBus()
    relay = OutboxRelay(engine, bus)
    async with transaction(engine) as slow:
        await enqueue(slow.connection, [event(1, "slow")])
        await write(engine, event(2, "fast"))
        assert await relay.relay_batch() == 1
        await slow.commit()
    assert await relay.relay_batch() == 1
    assert [one.key for one in bus.published] == ["fast", "slow"]


async def test_slow_bus_gets_smaller_batches(engine: AsyncEngine) -> None:
    """A bus that cannot confirm a full batch in time still empties the outbox."""

    class Slow(FakeBus):
        async def publish(self, events: Sequence[Event]) -> None:
            if len(events) > 3:
                raise BusUnavailable
            await super().publish(events)

    bus, listener = Slow(), Recorder()
    relay = OutboxRelay(engine, bus, options=QUICK, listener=listener)
    events = [event(n) for n in range(12)]
    await write(engine, *events)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: listener.count == 12)
    assert bus.published == events
    relay.stop()
    await running


async def test_survives_any_surprise(engine: AsyncEngine) -> None:
    """Not even a defect of the bus ends the relay."""

    class Broken(FakeBus):
        async def publish(self, events: Sequence[Event]) -> None:
            if len(listener.codes) < 2:
                raise KeyError("a defect")
            await super().publish(events)

    bus, listener = Broken(), Recorder()
    relay = OutboxRelay(engine, bus, options=QUICK, listener=listener)
    running = asyncio.create_task(relay.run())
    await write(engine, event(1))
    await eventually(lambda: listener.count == 1)
    assert listener.codes == ["KeyError", "KeyError"]
    relay.stop()
    await running


async def test_backlog(engine: AsyncEngine) -> None:
    """The backlog tells how much waits, up to a limit, and for how long."""
    listener = Recorder()
    bus = FakeBus()
    bus.down = True
    options = RelayOptions(backlog_every=0.01, count_limit=2, backoff=Backoff(0.01, 0.1))
    relay = OutboxRelay(engine, bus, options=options, listener=listener)
    assert await relay.backlog() == (0, 0.0)
    await write(engine, *(event(n) for n in range(3)))
    running = asyncio.create_task(relay.run())
    await eventually(lambda: len(listener.backlogs) >= 2)
    (first, age), (_, older) = listener.backlogs[:2]
    assert first == 2
    assert 0 < age < older
    relay.stop()
    await running


def test_options_validate_themselves() -> None:
    """A relay whose transaction would be ended while it waits for the bus cannot be made."""
    with pytest.raises(ValueError, match="publish_timeout"):
        RelayOptions(publish_timeout=10)
    with pytest.raises(ValueError, match="batch"):
        RelayOptions(batch=0)


async def test_cancelled_run_ends(engine: AsyncEngine) -> None:
    """A relay that is cancelled instead of stopped ends at once."""
    running = asyncio.create_task(OutboxRelay(engine, FakeBus(), options=QUICK).run())
    await asyncio.sleep(0.05)
    running.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({running})


SCRIPT = st.lists(st.sampled_from(["ok", "down", "half", "cancel"]), max_size=8)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(script=SCRIPT, seed=st.integers())
def test_per_key_order_whatever_fails(
    script: list[str], seed: int, plain_database: str, runner: asyncio.Runner
) -> None:
    """Whatever fails, each key's events are first seen in order, and none is missing."""

    async def scenario() -> None:
        engine = create_engine(plain_database, application_name="test")
        async with transaction(engine) as uow:
            await uow.connection.execute(text("DROP TABLE IF EXISTS outbox"))
            await uow.connection.execute(text(OUTBOX_V1))
            await uow.commit()
        rng = random.Random(seed)
        events = [event(n, f"key{rng.randrange(3)}", id_=uuid4()) for n in range(12)]
        await write(engine, *events)
        bus = ScriptedBus(script, rng)
        relay = OutboxRelay(engine, bus, options=RelayOptions(batch=rng.randint(1, 6)))
        while await waiting(engine):
            try:
                await relay.relay_batch()
            except (BusUnavailable, asyncio.CancelledError):
                continue
        wanted: dict[str, list[int]] = {}
        for one in events:
            wanted.setdefault(one.key, []).append(one.version)
        assert numbers(bus.published) == wanted
        await engine.dispose()

    runner.run(scenario())


class ScriptedBus(FakeBus):
    """Each publish meets the next fate of a script, then all goes well."""

    def __init__(self, script: list[str], rng: random.Random) -> None:
        super().__init__()
        self._script = list(script)
        self._random = rng

    async def publish(self, events: Sequence[Event]) -> None:
        fate = self._script.pop(0) if self._script else "ok"
        if fate == "down":
            raise BusUnavailable
        if fate == "ok":
            self.published += events
            return
        # A broker that dies keeps a beginning of the batch.
        self.published += events[: self._random.randint(0, len(events))]
        raise BusUnavailable if fate == "half" else asyncio.CancelledError
