"""The inbox worker: order per key, effects once, and what happens to a message that fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import codes
from chassis.context import current_correlation_id
from chassis.database import DatabaseUnavailable, transaction
from chassis.inbox import (
    Handler,
    InboxOptions,
    InboxWorker,
    Park,
    Postpone,
    discard,
    parked,
    redrive,
)
from chassis.messages import USER_BALANCE_UPDATED, USER_REGISTERED, Event
from chassis.pacing import Backoff
from tests.chassis.events import CORRELATION_ID, Numbered, event
from tests.chassis.inbox.conftest import CONSUMER, Recorder, apply, effects, take_in
from tests.waiting import eventually

QUICK = InboxOptions(
    poll=0.01, backoff=Backoff(0.01, 0.02), max_failures=3, backlog_every=0.05, prune_every=0.01
)


def make_worker(
    engine: AsyncEngine,
    handler: Handler,
    *,
    options: InboxOptions = QUICK,
    listener: Recorder | None = None,
) -> InboxWorker:
    return InboxWorker(
        engine,
        CONSUMER,
        {USER_REGISTERED: handler},
        options=options,
        listener=listener,
        rng=random.Random(1),
    )


@asynccontextmanager
async def running(*workers: InboxWorker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)


def failing_on(bad: int, error: Callable[[], Exception]) -> Handler:
    """A handler that leaves its trace and then fails for event `bad`."""

    async def handle(connection: AsyncConnection, one: Event) -> None:
        await apply(connection, one)
        if one.version == bad:
            raise error()

    return handle


async def states(engine: AsyncEngine) -> dict[str, int]:
    async with transaction(engine) as uow:
        found = await uow.connection.execute(
            text("SELECT state, count(*) AS n FROM inbox GROUP BY state")
        )
        return {row.state: row.n for row in found}


async def all_done(engine: AsyncEngine, count: int) -> bool:
    return await states(engine) == {"done": count}


async def test_effects_in_order_and_once(engine: AsyncEngine) -> None:
    """Every message takes effect once, and those of a key in the order of arrival."""
    events = [event(n, f"key{n % 7}") for n in range(28)]
    await take_in(engine, *events)
    listener = Recorder()
    async with running(make_worker(engine, apply, listener=listener)):
        await eventually(lambda: all_done(engine, 28))
        await take_in(engine, *events)
    assert await effects(engine) == {f"key{k}": list(range(k, 28, 7)) for k in range(7)}
    assert listener.handled_types == [USER_REGISTERED] * 28


async def test_done_messages_keep_no_payload(engine: AsyncEngine) -> None:
    """What remains of a handled message is what dedupe needs, not what it said."""
    await take_in(engine, event(1))
    assert await make_worker(engine, apply).handle_next("key")
    async with transaction(engine) as uow:
        row = (await uow.connection.execute(text("SELECT payload, done_at FROM inbox"))).one()
    assert row.payload is None
    assert row.done_at is not None


async def test_replicas_share_the_work_in_order(engine: AsyncEngine) -> None:
    """Workers of several replicas keep each key's order, and no message takes effect twice."""

    async def slowly(connection: AsyncConnection, one: Event) -> None:
        await asyncio.sleep(0.001)
        await apply(connection, one)

    await take_in(engine, *(event(n, f"key{n % 3}") for n in range(24)))
    async with running(*(make_worker(engine, slowly) for _ in range(3))):
        await eventually(lambda: all_done(engine, 24))
    assert await effects(engine) == {f"key{k}": list(range(k, 24, 3)) for k in range(3)}


async def test_failure_undoes_effects_and_is_tried_again(engine: AsyncEngine) -> None:
    """A handler that fails leaves nothing, and its key goes on where it stopped."""
    fails = [ZeroDivisionError(), ZeroDivisionError()]

    async def handle(connection: AsyncConnection, one: Event) -> None:
        await apply(connection, one)
        if fails and one.version == 1:
            raise fails.pop()

    listener = Recorder()
    await take_in(engine, *(event(n) for n in range(3)))
    async with running(make_worker(engine, handle, listener=listener)):
        await eventually(lambda: all_done(engine, 3))
    assert await effects(engine) == {"key": [0, 1, 2]}
    assert listener.failures == [(USER_REGISTERED, "ZeroDivisionError")] * 2


async def test_poison_parks_its_key_and_no_other(engine: AsyncEngine) -> None:
    """A message that keeps failing is parked; later ones of its key wait, other keys go on."""
    listener = Recorder()
    await take_in(engine, *(event(n, f"key{n % 2}") for n in range(10)))
    worker = make_worker(engine, failing_on(3, ZeroDivisionError), listener=listener)
    async with running(worker):
        await eventually(lambda: listener.parks)
        await eventually(lambda: listener.handled_types.count(USER_REGISTERED) == 6)
    assert await effects(engine) == {"key0": [0, 2, 4, 6, 8], "key1": [1]}
    assert listener.parks == [(USER_REGISTERED, "ZeroDivisionError")]
    assert len(listener.failures) == QUICK.max_failures - 1
    stats = await worker.stats()
    assert (stats.pending, stats.parked) == (3, 1)
    assert stats.oldest_age > 0


async def test_redrive_resumes_in_order(engine: AsyncEngine) -> None:
    """After a redrive the parked message and those behind it take effect, in order."""
    broken = [True]

    async def handle(connection: AsyncConnection, one: Event) -> None:
        if broken and one.version == 1:
            raise Park("UNKNOWN_ACCOUNT")
        await apply(connection, one)

    events = [event(n) for n in range(4)]
    await take_in(engine, *events)
    async with running(make_worker(engine, handle)):
        await eventually(lambda: has_parked(engine))
        async with transaction(engine) as uow:
            (found,) = await parked(uow.connection, CONSUMER)
            assert (found.message_id, found.key, found.waiting) == (events[1].id, "key", 2)
            assert (found.last_error, found.attempts) == ("UNKNOWN_ACCOUNT", 1)
            broken.clear()
            assert await redrive(uow.connection, CONSUMER, key="other") == 0
            assert await redrive(uow.connection, CONSUMER, message_id=found.message_id) == 1
            await uow.commit()
        await eventually(lambda: all_done(engine, 4))
    assert await effects(engine) == {"key": [0, 1, 2, 3]}


async def has_parked(engine: AsyncEngine) -> bool:
    async with transaction(engine) as uow:
        return bool(await parked(uow.connection, CONSUMER))


async def test_discard_lets_the_key_go_on(engine: AsyncEngine) -> None:
    """A dropped message has no effect, and those behind it go on."""
    events = [event(n) for n in range(3)]
    await take_in(engine, *events)
    async with running(make_worker(engine, failing_on(1, lambda: Park("BAD")))):
        await eventually(lambda: has_parked(engine))
        async with transaction(engine) as uow:
            assert not await discard(uow.connection, CONSUMER, events[2].id)
            assert await discard(uow.connection, CONSUMER, events[1].id)
            await uow.commit()
        await eventually(lambda: all_done(engine, 3))
    assert await effects(engine) == {"key": [0, 2]}


@pytest.mark.parametrize(
    "outage",
    [
        lambda: Postpone("WEBHOOK_DOWN"),
        lambda: codes.UNAVAILABLE.error(),
        lambda: DatabaseUnavailable("away"),
        TimeoutError,
    ],
)
async def test_outages_never_park(engine: AsyncEngine, outage: Callable[[], Exception]) -> None:
    """An outage is waited out beyond the number of failures that parks a bad message."""
    left = [None] * (QUICK.max_failures + 3)

    async def handle(connection: AsyncConnection, one: Event) -> None:
        if left:
            left.pop()
            raise outage()
        await apply(connection, one)

    await take_in(engine, event(1))
    async with running(make_worker(engine, handle)):
        await eventually(lambda: all_done(engine, 1))
    assert await effects(engine) == {"key": [1]}


async def test_refused_statement_counts(engine: AsyncEngine) -> None:
    """A handler whose SQL the database refuses is the message's fault, told by SQLSTATE."""

    async def handle(connection: AsyncConnection, one: Event) -> None:
        await connection.execute(text("INSERT INTO effect (number) VALUES ('not a number')"))

    listener = Recorder()
    await take_in(engine, event(1))
    async with running(make_worker(engine, handle, listener=listener)):
        await eventually(lambda: listener.parks)
    assert listener.parks == [(USER_REGISTERED, "SQLSTATE_22P02")]


async def test_swallowed_failure_is_not_done(engine: AsyncEngine) -> None:
    """A handler that hides a failed statement does not get its message marked done."""

    async def handle(connection: AsyncConnection, one: Event) -> None:
        try:
            await connection.execute(text("SELECT * FROM no_such_table"))
        except Exception:  # noqa: BLE001 - the point
            return

    await take_in(engine, event(1))
    await make_worker(engine, handle).handle_next("key")
    assert await states(engine) == {"pending": 1}


@pytest.mark.parametrize("payload", ["not read", "other type"])
async def test_unfit_messages_park_at_once(engine: AsyncEngine, payload: str) -> None:
    """A type without handler, and a payload that does not fit, wait for staff and a new release."""

    async def handle(connection: AsyncConnection, one: Event) -> None:
        class Other(Numbered, frozen=True):
            name: str

        one.read(Other)

    listener = Recorder()
    type_ = USER_BALANCE_UPDATED if payload == "not read" else USER_REGISTERED
    await take_in(engine, event(1, type_=type_))
    await make_worker(engine, handle, listener=listener).handle_next("key")
    assert listener.parks == [(type_, "NO_HANDLER" if payload == "not read" else "UNDECODABLE")]


async def test_slow_handler_is_stopped(engine: AsyncEngine) -> None:
    """A handler beyond its time is undone and tried later; other keys do not wait for it."""
    hang = asyncio.Event()

    async def handle(connection: AsyncConnection, one: Event) -> None:
        await apply(connection, one)
        if one.key == "slow" and not hang.is_set():
            await asyncio.sleep(60)

    options = InboxOptions(poll=0.01, backoff=Backoff(0.01, 0.02), handler_timeout=0.5)
    listener = Recorder()
    await take_in(engine, event(1, "slow"), event(2, "quick"))
    async with running(make_worker(engine, handle, options=options, listener=listener)):
        await eventually(lambda: len(listener.failures) >= 2)

        async def only_quick() -> bool:
            return await effects(engine) == {"quick": [2]}

        await eventually(only_quick)
        hang.set()
        await eventually(lambda: all_done(engine, 2))
    assert set(listener.failures) == {(USER_REGISTERED, "HANDLER_TIMEOUT")}


async def test_cancelled_handler_leaves_nothing(engine: AsyncEngine) -> None:
    """A worker that is cancelled in the middle of a handler leaves the message as it was."""
    began = asyncio.Event()

    async def handle(connection: AsyncConnection, one: Event) -> None:
        await apply(connection, one)
        began.set()
        await asyncio.sleep(60)

    await take_in(engine, event(1))
    task = asyncio.create_task(make_worker(engine, handle).run())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await effects(engine) == {}
    assert await states(engine) == {"pending": 1}


async def test_database_away(engine: AsyncEngine) -> None:
    """A worker whose connections are cut goes on when the database is back, with effects once."""
    await take_in(engine, *(event(n, f"key{n % 3}") for n in range(30)))

    async def cut() -> None:
        async with transaction(engine) as uow:
            await uow.connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    async def slowly(connection: AsyncConnection, one: Event) -> None:
        await apply(connection, one)
        await asyncio.sleep(0.01)

    async with running(make_worker(engine, slowly)):
        for _ in range(3):
            await asyncio.sleep(0.05)
            await cut()
        await eventually(lambda: all_done(engine, 30))
    assert await effects(engine) == {f"key{k}": list(range(k, 30, 3)) for k in range(3)}


async def test_correlation_id_is_bound(engine: AsyncEngine) -> None:
    """Log lines of a handler carry the correlation id of the request that caused the event."""
    seen: list[str | None] = []

    async def handle(connection: AsyncConnection, one: Event) -> None:
        seen.append(current_correlation_id())

    await take_in(engine, event(1))
    await make_worker(engine, handle).handle_next("key")
    assert seen == [CORRELATION_ID]


async def age_done(engine: AsyncEngine, days: int) -> None:
    async with transaction(engine) as uow:
        await uow.connection.execute(
            text("UPDATE inbox SET done_at = done_at - make_interval(days => :d)"), {"d": days}
        )
        await uow.commit()


async def test_pruning_keeps_what_dedupe_needs(engine: AsyncEngine) -> None:
    """Done messages are forgotten after their retention, in batches; open ones never."""
    await take_in(engine, *(event(n) for n in range(5)))
    worker = make_worker(
        engine, apply, options=InboxOptions(retention_days=7, prune_batch=2, poll=0.01)
    )
    for _ in range(4):
        await worker.handle_next("key")
    await age_done(engine, 6)
    assert await worker.prune() == 0
    await age_done(engine, 2)
    assert [await worker.prune() for _ in range(3)] == [2, 2, 0]
    assert await states(engine) == {"pending": 1}


async def test_upkeep_runs_by_itself(engine: AsyncEngine) -> None:
    """A running worker reports what waits and forgets what is old."""
    listener = Recorder()
    await take_in(engine, event(1))
    async with running(make_worker(engine, apply, listener=listener)):
        await eventually(lambda: all_done(engine, 1))
        await age_done(engine, 365)
        await eventually(lambda: emptied(engine))
    assert listener.stats[-1].parked == 0


async def emptied(engine: AsyncEngine) -> bool:
    return await states(engine) == {}


def test_options_validate_themselves() -> None:
    """A retention that would let duplicates through cannot be set."""
    with pytest.raises(ValueError, match="at least 7"):
        InboxOptions(retention_days=6)
    with pytest.raises(ValueError, match="positive"):
        InboxOptions(concurrency=0)


async def test_many_parked_keys_do_not_hold_up_others(engine: AsyncEngine) -> None:
    """Parked keys with long queues behind them, first in order, do not keep the rest waiting."""
    await take_in(engine, *(event(n, f"a{n % 50:02}") for n in range(1000)))
    async with transaction(engine) as uow:
        await uow.connection.execute(
            text(
                "UPDATE inbox SET state = 'parked' WHERE seq IN"
                " (SELECT min(seq) FROM inbox GROUP BY key)"
            )
        )
        await uow.commit()
    await take_in(engine, *(event(n, "z") for n in range(5)))
    async with running(make_worker(engine, apply)):
        await eventually(lambda: effect_count(engine, 5))
    assert await effects(engine) == {"z": [0, 1, 2, 3, 4]}


async def effect_count(engine: AsyncEngine, count: int) -> bool:
    return sum(map(len, (await effects(engine)).values())) == count
