"""The database behind its policies: an outage costs each caller nothing, and ends by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes, database
from chassis.database import (
    DatabaseUnavailable,
    StatementRejected,
    autocommit,
    create_engine,
    ping,
    transaction,
)
from chassis.errors import CodedError
from resilience import (
    BreakerOptions,
    BulkheadOptions,
    DeadlineExceeded,
    Pipeline,
    PipelineOptions,
    call_context,
)
from resilience.deadline import Deadline
from tests.cable import Cable
from tests.conftest import CreateDatabase
from tests.waiting import eventually

OPTIONS = PipelineOptions(
    breaker=BreakerOptions(
        window="consecutive",
        consecutive_failures=3,
        break_seconds=0.1,
        break_max_seconds=0.2,
        probes=1,
        ramp_seconds=0.0,
    ),
    bulkhead=BulkheadOptions(max_concurrent=2, max_queue=1, queue_seconds=0.2),
)
FAILING = text("SELECT 1 / 0")


@asynccontextmanager
async def guarded_engine(url: str) -> AsyncIterator[tuple[AsyncEngine, Pipeline]]:
    pipeline = Pipeline("postgres", OPTIONS, classifier=database.judge)
    engine = create_engine(url, application_name="test", pipeline=pipeline)
    try:
        yield engine, pipeline
    finally:
        await engine.dispose()


async def one(engine: AsyncEngine) -> object:
    async with autocommit(engine) as connection:
        return await connection.scalar(text("SELECT 1"))


async def test_an_outage_is_met_at_once_and_its_end_is_seen(
    create_database: CreateDatabase,
) -> None:
    """After a few failures nobody waits for the database; a ping still asks it; back up, it is used."""
    parts = urlsplit(await create_database("guarded"))
    async with Cable(parts.hostname or "", parts.port or 0) as cable:
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{cable.port}"
        url = urlunsplit(parts._replace(netloc=place))
        async with guarded_engine(url) as (engine, pipeline):
            assert await one(engine) == 1
            await cable.pull()
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await one(engine)
            assert pipeline.breaker is not None
            assert pipeline.breaker.current_state == "open"
            with pytest.raises(DatabaseUnavailable, match="given a rest") as caught:
                async with transaction(engine):
                    pytest.fail("an open breaker lets nobody in")
            assert caught.value.retry_after is not None
            with pytest.raises(DatabaseUnavailable, match=r"did not answer|cannot be reached"):
                await ping(engine)

            await cable.plug()
            await ping(engine)

            async def works() -> bool:
                try:
                    return await one(engine) == 1
                except DatabaseUnavailable:
                    return False

            assert await eventually(works, 5)


async def test_refused_statements_and_foreign_errors_open_nothing(
    create_database: CreateDatabase,
) -> None:
    """A database that refuses a statement works, and what else fails in a unit of work is not its fault."""
    async with guarded_engine(await create_database("refusing")) as (engine, pipeline):
        for _ in range(5):
            with pytest.raises(StatementRejected):
                async with transaction(engine) as uow:
                    await uow.connection.execute(FAILING)
            with pytest.raises(CodedError, match="UNAVAILABLE"):
                async with transaction(engine):
                    raise codes.UNAVAILABLE.error(service="bus")
            with pytest.raises(ZeroDivisionError):
                async with transaction(engine):
                    raise ZeroDivisionError

        assert pipeline.breaker is not None
        assert pipeline.breaker.current_state == "closed"


async def test_units_of_work_wait_their_turn_within_bounds(create_database: CreateDatabase) -> None:
    """Beyond the slots one may wait, for a while and no longer than its own deadline; the next is refused."""
    async with guarded_engine(await create_database("crowded")) as (engine, pipeline):
        release, holding = asyncio.Event(), 0

        async def hold() -> None:
            nonlocal holding
            async with transaction(engine):
                holding += 1
                await release.wait()

        holders = [asyncio.create_task(hold()) for _ in range(2)]
        await eventually(lambda: holding == 2)
        with (
            call_context(deadline=Deadline.after(0.05)),
            pytest.raises(DeadlineExceeded, match="bulkhead's queue"),
        ):
            await one(engine)
        waiting = asyncio.create_task(one(engine))
        assert pipeline.bulkhead is not None
        await eventually(lambda: pipeline.bulkhead and pipeline.bulkhead.queued == 1)
        with pytest.raises(DatabaseUnavailable, match="enough to do"):
            await one(engine)
        release.set()

        assert await waiting == 1
        await asyncio.gather(*holders)
        assert pipeline.bulkhead.in_flight == 0
