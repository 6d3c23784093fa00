"""The law of the inbox, whatever fails: order per key, effects once, nothing forgotten."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.database import DatabaseUnavailable, create_engine, transaction
from chassis.ddl import INBOX_V1
from chassis.inbox import InboxOptions, InboxWorker, Park, Postpone, redrive
from chassis.messages import USER_REGISTERED, Event
from chassis.pacing import Backoff
from tests.chassis.events import event
from tests.chassis.inbox.conftest import CONSUMER, apply, effects, take_in

FATES: dict[str, Callable[[], Exception]] = {
    "error": ZeroDivisionError,
    "park": lambda: Park("TEST"),
    "postpone": lambda: Postpone("TEST"),
    "away": lambda: DatabaseUnavailable("test"),
}
KEYS = ("a", "b", "c")

arrivals = st.lists(
    st.tuples(st.sampled_from(KEYS), st.lists(st.sampled_from(sorted(FATES)), max_size=3)),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(arrivals=arrivals, seed=st.integers())
def test_order_and_effects_whatever_fails(
    arrivals: list[tuple[str, list[str]]],
    seed: int,
    plain_database: str,
    runner: asyncio.Runner,
) -> None:
    """Messages that arrive in any portions, several times, and fail in any way, take effect once
    each and in order per key, once staff have redriven what was parked."""

    async def scenario() -> None:
        engine = create_engine(plain_database, application_name="test")
        await fresh(engine)
        events = [event(n, key) for n, (key, _) in enumerate(arrivals)]
        fates = {one.id: list(script) for one, (_, script) in zip(events, arrivals, strict=True)}
        await play(engine, events, fates, random.Random(seed))
        wanted: dict[str, list[int]] = {}
        for one in events:
            wanted.setdefault(one.key, []).append(one.version)
        assert await effects(engine) == wanted
        await engine.dispose()

    runner.run(scenario())


async def fresh(engine: AsyncEngine) -> None:
    async with transaction(engine) as uow:
        for statement in (
            "DROP TABLE IF EXISTS inbox, effect",
            INBOX_V1,
            "CREATE TABLE effect (n serial PRIMARY KEY, key text, number bigint)",
        ):
            await uow.connection.execute(text(statement))
        await uow.commit()


async def play(
    engine: AsyncEngine, events: list[Event], fates: dict[UUID, list[str]], rng: random.Random
) -> None:
    """Let messages arrive and be handled in a random interleaving, until all is done."""
    calls: Counter[UUID] = Counter()

    async def handle(connection: AsyncConnection, one: Event) -> None:
        await apply(connection, one)
        calls[one.id] += 1
        if fates[one.id]:
            raise FATES[fates[one.id].pop(0)]()

    options = InboxOptions(backoff=Backoff(0.0001, 0.0002), max_failures=2)
    workers = [
        InboxWorker(engine, CONSUMER, {USER_REGISTERED: handle}, options=options, rng=rng)
        for _ in range(2)
    ]
    arrived = 0
    while True:
        if arrived < len(events) and rng.random() < 0.5:
            # A redelivery starts somewhere before what is new, never behind it.
            start = rng.randint(0, arrived)
            arrived = rng.randint(arrived + 1, len(events))
            await take_in(engine, *events[start:arrived])
        turns = [worker.handle_next(key) for worker in workers for key in KEYS]
        await asyncio.gather(*turns)
        async with transaction(engine) as uow:
            if rng.random() < 0.3:
                await redrive(uow.connection, CONSUMER)
                await uow.commit()
        if arrived == len(events) and (await workers[0].stats()).oldest_age == 0:
            return
