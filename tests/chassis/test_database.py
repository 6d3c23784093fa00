"""Units of work against a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import (
    DatabaseUnavailable,
    OutcomeUnknown,
    StatementRejected,
    UniqueViolation,
    autocommit,
    create_engine,
    ping,
    settle_commit,
    transaction,
)
from resilience.testing import settle
from tests.conftest import CreateDatabase, StartPostgres
from tests.waiting import eventually

INSERT = text("INSERT INTO word (id, word) VALUES (:id, :word)")


async def make_table(engine: AsyncEngine) -> None:
    async with transaction(engine) as uow:
        await uow.connection.execute(
            text(
                "CREATE TABLE word (id int PRIMARY KEY, word text NOT NULL,"
                " CONSTRAINT word_unique UNIQUE (word) DEFERRABLE INITIALLY DEFERRED)"
            )
        )
        await uow.commit()


async def words(engine: AsyncEngine) -> list[str]:
    async with transaction(engine) as uow:
        rows = await uow.connection.execute(text("SELECT word FROM word ORDER BY id"))
        return [row.word for row in rows]


@pytest.fixture
async def engine(create_database: CreateDatabase) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(
        await create_database("database"), application_name="test", pool_size=2, pool_timeout=0.2
    )
    await make_table(engine)
    yield engine
    await engine.dispose()


async def test_kept_after_commit(engine: AsyncEngine) -> None:
    """What a unit of work has committed is there afterwards."""
    async with transaction(engine) as uow:
        await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
        await uow.commit()
        assert uow.committed
    assert await words(engine) == ["one"]


async def test_rolled_back_by_default(engine: AsyncEngine) -> None:
    """A unit of work that nobody commits leaves nothing, however it ends."""
    async with transaction(engine) as uow:
        await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
    with pytest.raises(ZeroDivisionError):
        async with transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
            raise ZeroDivisionError
    assert await words(engine) == []


async def test_committing_twice_is_refused(engine: AsyncEngine) -> None:
    """A unit of work is one transaction."""
    async with transaction(engine) as uow:
        await uow.commit()
        with pytest.raises(RuntimeError, match="has been committed"):
            await uow.commit()


async def test_unique_violation_names_the_constraint_and_quotes_no_data(
    engine: AsyncEngine,
) -> None:
    """A duplicate is told by its constraint; neither message nor cause carries the value."""
    async with transaction(engine) as uow:
        await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
        await uow.commit()
    with pytest.raises(UniqueViolation) as caught:
        async with transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "secret"})
    assert caught.value.constraint == "word_pkey"
    assert "(id)" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_deferred_violation_at_commit_is_definite(engine: AsyncEngine) -> None:
    """A constraint that fails at COMMIT is a refusal, not an unknown outcome."""
    with pytest.raises(UniqueViolation) as caught:
        async with transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "same"})
            await uow.connection.execute(INSERT, {"id": 2, "word": "same"})
            await uow.commit()
    assert caught.value.constraint == "word_unique"
    assert await words(engine) == []


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT * FROM no_such_table", {}),
        ("INSERT INTO word (id) VALUES (1)", {}),
        ("SELECT CAST(CAST(:value AS text) AS int)", {"value": "secret"}),
        ("SELECT CAST(:value AS int)", {"value": "secret"}),
    ],
)
async def test_refused_statement(
    engine: AsyncEngine, statement: str, parameters: dict[str, str]
) -> None:
    """What the database or the driver refuses is coded and not retryable, and quotes no data."""
    with pytest.raises(StatementRejected) as caught:
        async with transaction(engine) as uow:
            await uow.connection.execute(text(statement), parameters)
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)


async def test_swallowed_failure_cannot_be_committed(engine: AsyncEngine) -> None:
    """COMMIT of a failed transaction, which PostgreSQL answers with ROLLBACK, is an error here."""
    with pytest.raises(StatementRejected, match="earlier statement failed"):
        async with transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
            with pytest.raises(Exception, match="does not exist"):
                await uow.connection.execute(text("SELECT * FROM no_such_table"))
            await uow.commit()
    assert await words(engine) == []


async def test_failure_within_a_savepoint_can_be_committed(engine: AsyncEngine) -> None:
    """A savepoint that is rolled back leaves the rest of the transaction committable."""
    async with transaction(engine) as uow:
        await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
        with pytest.raises(Exception, match="does not exist"):
            async with uow.connection.begin_nested():
                await uow.connection.execute(text("SELECT * FROM no_such_table"))
        await uow.commit()
    assert await words(engine) == ["one"]


async def test_slow_statement_is_unavailable(create_database: CreateDatabase) -> None:
    """A statement beyond its time is stopped by the server, and told as not done."""
    engine = create_engine(
        await create_database("slow"), application_name="test", statement_timeout=0.1
    )
    with pytest.raises(DatabaseUnavailable) as caught:
        async with transaction(engine) as uow:
            await uow.connection.execute(text("SELECT pg_sleep(5)"))
    assert caught.value.retryable
    await engine.dispose()


async def test_exhausted_pool_is_unavailable(engine: AsyncEngine) -> None:
    """With every connection in use a caller is refused in bounded time."""
    async with transaction(engine), transaction(engine):
        with pytest.raises(DatabaseUnavailable, match="came free"):
            async with transaction(engine):
                pass


async def test_nobody_listens(unused_tcp_port: int) -> None:
    """A server that is not there is unavailable, for work and for a ping."""
    engine = create_engine(f"postgresql://x@127.0.0.1:{unused_tcp_port}/x", application_name="test")
    with pytest.raises(DatabaseUnavailable):
        async with transaction(engine):
            pass
    with pytest.raises(DatabaseUnavailable):
        await ping(engine)
    await engine.dispose()


class Absorbing:
    """An engine that tells a cancellation as a closed connection. SQLAlchemy does so when it comes
    while the first connection's server is being asked for its version."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ResourceClosedError from None
        yield

    def get_execution_options(self) -> dict[str, object]:
        return {}

    def execution_options(self, **_: object) -> "Absorbing":
        return self


@pytest.mark.parametrize("use", [transaction, autocommit, ping])
async def test_cancelled_while_connecting_is_cancelled(use: Callable[[AsyncEngine], Any]) -> None:
    """A cancellation stays one; a loop that took it for an outage would never end."""

    async def work() -> None:
        used = use(cast("AsyncEngine", Absorbing()))
        if asyncio.iscoroutine(used):
            await used
        else:
            async with used:
                pass

    task = asyncio.create_task(work())
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_foreign_errors_pass_untouched(engine: AsyncEngine) -> None:
    """A timeout or OS error of the caller's own is not blamed on the database."""
    for error in (TimeoutError("mine"), OSError("mine")):
        with pytest.raises(type(error), match="mine"):
            async with transaction(engine) as uow:
                await uow.connection.execute(text("SELECT 1"))
                raise error


async def test_cancelled_before_commit_rolls_back(engine: AsyncEngine) -> None:
    """A cancellation before COMMIT is sent leaves nothing."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
            await uow.connection.execute(text("SELECT pg_sleep(2)"))
            await uow.commit()
    assert await words(engine) == []


async def slow_commit(engine: AsyncEngine, seconds: float) -> None:
    """Make COMMIT take a while: a deferred trigger sleeps."""
    async with transaction(engine) as uow:
        for statement in (
            "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER nap AFTER INSERT ON word"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nap()",
        ):
            await uow.connection.execute(text(statement))
        await uow.commit()


async def test_cancelled_during_commit_tells_the_commits_own_outcome(engine: AsyncEngine) -> None:
    """A deadline that passes while COMMIT is under way does not turn done into "nothing done"."""
    await slow_commit(engine, 0.3)
    async with asyncio.timeout(None) as limit, transaction(engine) as uow:
        await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
        limit.reschedule(asyncio.get_running_loop().time() + 0.1)
        await uow.commit()
    assert uow.committed
    assert await words(engine) == ["one"]


async def test_unanswered_commit_is_unknown_in_bounded_time(engine: AsyncEngine) -> None:
    """A COMMIT whose answer does not come is told as unknown, and the pool is usable afterwards."""
    await slow_commit(engine, 1)
    with pytest.raises(OutcomeUnknown):
        async with transaction(engine, commit_timeout=0.1) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
            await uow.commit()
    assert await words(engine) in ([], ["one"])


async def test_backend_killed_during_commit_is_unknown(engine: AsyncEngine) -> None:
    """A connection that dies after COMMIT was sent leaves an unknown outcome."""
    await slow_commit(engine, 2)

    async def doomed() -> None:
        async with transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
            await uow.commit()

    async def kill() -> bool:
        async with transaction(engine) as uow:
            killed = await uow.connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE 'COMMIT%' AND state = 'active'"
                )
            )
            return bool(killed.all())

    task = asyncio.create_task(doomed())
    await eventually(kill)
    with pytest.raises(OutcomeUnknown):
        await task


async def test_connection_lost_before_commit_is_definite(engine: AsyncEngine) -> None:
    """A connection that is known to be dead before COMMIT is sent means: not done."""
    with pytest.raises(DatabaseUnavailable):
        async with transaction(engine) as uow:
            await uow.connection.execute(INSERT, {"id": 1, "word": "one"})
            raw = await uow.connection.get_raw_connection()
            raw.driver_connection.terminate()  # type: ignore[union-attr]
            await uow.commit()
    assert await words(engine) == []


@pytest.mark.parametrize("error", [OSError("gone"), TimeoutError(), ValueError("any")])
async def test_any_failure_after_commit_was_sent_is_unknown(error: Exception) -> None:
    """Whatever the driver raises once COMMIT is out, the outcome is not known."""

    async def commit() -> None:
        raise error

    with pytest.raises(OutcomeUnknown):
        await settle_commit(commit())


async def test_pool_recovers_from_a_restart_without_errors(start_postgres: StartPostgres) -> None:
    """After the server has come back, stale connections are replaced at checkout, unseen."""
    server = start_postgres()
    engine = create_engine(server.url, application_name="test", pool_size=3)
    async with transaction(engine), transaction(engine), transaction(engine) as uow:
        await uow.connection.execute(text("SELECT 1"))
    await asyncio.to_thread(server.stop)
    with pytest.raises(DatabaseUnavailable):
        await ping(engine)
    await asyncio.to_thread(server.start)
    for _ in range(5):
        async with transaction(engine) as uow:
            await uow.connection.execute(text("SELECT 1"))
            await uow.commit()
    await engine.dispose()
