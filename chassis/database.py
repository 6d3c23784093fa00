"""PostgreSQL for a service: a bounded pool, units of work, and the truth about their outcome.

    async with transaction(engine) as uow:
        await uow.connection.execute(...)
        await uow.commit()

Nothing is kept unless `commit` returns. Leaving the block without it, by an exception, a
cancellation or a plain return, rolls back; `commit` is the last thing in the block. Driver errors are
translated here, and nowhere else, into errors that say whether something was done; their text, which
may quote data, stays here.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from asyncpg import exceptions as driver
from sqlalchemy import event, exc, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis import codes
from chassis.codes import Code
from chassis.errors import CodedError
from chassis.tracing import Kind, Span, span, within
from resilience import Fault, Pipeline, Rejected, ResilienceError, Verdict

CONNECT_TIMEOUT: Final = 2.0
"""Seconds to open a connection: a server that is up answers in milliseconds."""

STATEMENT_TIMEOUT: Final = 5.0
"""Seconds a statement may run on the server. Every query of ours is indexed and small."""

IDLE_IN_TRANSACTION_TIMEOUT: Final = 10.0
"""Seconds a transaction may sit idle before the server ends it: a paused process holds locks."""

LOCK_TIMEOUT: Final = 3.0
"""Seconds to wait for a row lock: shorter than a statement may run, to tell the reasons apart."""

CLIENT_MARGIN: Final = 1.0
"""Seconds beyond the statement timeout after which we give up ourselves: the server cannot time out
a statement when the network swallows its answer, or when it is paused."""

COMMIT_TIMEOUT: Final = 5.0
"""Seconds to wait for the answer to COMMIT. Then the outcome is unknown."""

POOL_SIZE: Final = 10
"""Connections per process: more than a small database can use, few enough for many replicas."""

POOL_TIMEOUT: Final = 1.0
"""Seconds to wait for a free connection: beyond that the caller does better with a refusal."""

PING_TIMEOUT: Final = 1.0
"""Seconds for a readiness check."""

_FAILED = "baluarte.failed"
_PIPELINE = "baluarte_pipeline"
_MARK = "_baluarte_database"
_SPAN = "_baluarte_span"


class DatabaseError(CodedError):
    """What the database boundary raises; subclasses say whether something was done."""

    kind: Code = codes.INTERNAL

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(
            code=self.kind.name,
            status=self.kind.status,
            title=self.kind.meaning,
            detail=detail,
            retryable=self.kind.retryable,
            retry_after=retry_after,
        )


class DatabaseUnavailable(DatabaseError):
    """Definitely not done: unreachable, out of connections, too slow, or a lost race for locks."""

    kind = codes.UNAVAILABLE


class OutcomeUnknown(DatabaseError):
    """COMMIT was sent and its answer was lost: look, or do the same again idempotently."""

    kind = codes.OUTCOME_UNKNOWN


class StatementRejected(DatabaseError):
    """Definitely not done: the database refuses the statement, and will again.

    Attributes:
        sqlstate: the five characters of PostgreSQL, or "" when the driver refused.
        constraint: the violated constraint's name, if one is to blame.
    """

    def __init__(self, detail: str, *, sqlstate: str = "", constraint: str = "") -> None:
        super().__init__(detail)
        self.sqlstate = sqlstate
        self.constraint = constraint


class UniqueViolation(StatementRejected):
    """Definitely not done: a row with that key exists. Match on `constraint`."""


def create_engine(
    url: str,
    *,
    application_name: str,
    statement_timeout: float = STATEMENT_TIMEOUT,
    idle_in_transaction_timeout: float = IDLE_IN_TRANSACTION_TIMEOUT,
    lock_timeout: float = LOCK_TIMEOUT,
    connect_timeout: float = CONNECT_TIMEOUT,
    pool_size: int = POOL_SIZE,
    max_overflow: int = 0,
    pool_timeout: float = POOL_TIMEOUT,
    pipeline: Pipeline | None = None,
) -> AsyncEngine:
    """An engine on asyncpg; nothing connects until it is used.

    There is no pre-ping: it costs a round trip per checkout. Instead a checkout looks whether the
    driver has seen the connection close (a restarted server sends that at once), which costs
    nothing; a silent loss is met by the client's own timeout.

    Args:
        url: `postgresql://user:password@host:port/name`, optionally `?sslmode=…`.
        application_name: shown in `pg_stat_activity`.
        statement_timeout, idle_in_transaction_timeout, lock_timeout: seconds, on the server.
        connect_timeout: seconds to open a connection.
        pool_size, max_overflow: connections kept, and allowed beyond.
        pool_timeout: seconds to wait for a free one.
        pipeline: the policies around the database; every unit of work is one attempt of it.
    """
    address, ssl = _address(url)
    arguments: dict[str, Any] = {
        "timeout": connect_timeout,
        "command_timeout": statement_timeout + CLIENT_MARGIN,
        "server_settings": {
            "application_name": application_name,
            "statement_timeout": _milliseconds(statement_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(idle_in_transaction_timeout),
            "lock_timeout": _milliseconds(lock_timeout),
            "timezone": "UTC",
            # Our queries are small: compiling them costs more than it saves.
            "jit": "off",
        },
    }
    if ssl is not None:
        arguments["ssl"] = ssl
    engine = create_async_engine(
        address,
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=pool_timeout,
        # The most recently used first: the rest may idle, and a burst's connections are warm.
        pool_use_lifo=True,
        hide_parameters=True,
    )
    if pipeline is not None:
        engine.sync_engine.update_execution_options(**{_PIPELINE: pipeline})
    event.listen(engine.sync_engine, "checkout", _check_open)
    event.listen(engine.sync_engine, "handle_error", _note_failure)
    event.listen(engine.sync_engine, "begin", _forget_failure)
    event.listen(engine.sync_engine, "rollback_savepoint", _forget_failure)
    event.listen(engine.sync_engine, "before_cursor_execute", _begin_span)
    event.listen(engine.sync_engine, "after_cursor_execute", _end_span)
    return engine


async def ping(engine: AsyncEngine, *, timeout: float = PING_TIMEOUT) -> None:
    """Return if the database answers within `timeout` seconds. Asked past the policies.

    Raises:
        DatabaseUnavailable: it does not.
    """
    before = _cancellations()
    try:
        async with asyncio.timeout(timeout), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer did not come
        if _cancellations() > before:
            raise asyncio.CancelledError from None
        raise translate(error, default=DatabaseUnavailable) from None


class UnitOfWork:
    """One transaction. Made by `transaction`.

    Attributes:
        connection: for statements; the transaction begins with the first.
        committed: whether COMMIT was confirmed.
    """

    def __init__(self, connection: AsyncConnection, *, commit_timeout: float) -> None:
        self.connection = connection
        self.committed = False
        self._commit_timeout = commit_timeout
        self._commit_sent = False

    async def commit(self) -> None:
        """Make it so. A cancellation no longer stops it: its own outcome wins.

        Cancelled while COMMIT is under way, it still waits for the answer, and returns if the
        answer is yes: an `asyncio.timeout` around it then does not fire, because the work is done.
        A loop that is stopped by cancellation must look at its stop flag (or at
        `current_task().cancelling()`) after each commit.

        Raises:
            OutcomeUnknown: the answer was lost.
            DatabaseUnavailable, StatementRejected: definitely not committed.
        """
        if self._commit_sent:
            raise RuntimeError("this unit of work has been committed")
        await self._assert_committable()
        self._commit_sent = True
        await settle_commit(self.connection.commit(), timeout=self._commit_timeout)
        self.committed = True

    async def _assert_committable(self) -> None:
        # PostgreSQL answers COMMIT of a failed transaction with a friendly ROLLBACK.
        if self.connection.invalidated:
            raise DatabaseUnavailable("The connection to the database was lost; nothing was done.")
        if self.connection.sync_connection is not None and self.connection.info.get(_FAILED):
            raise StatementRejected(
                "An earlier statement failed, so the transaction cannot commit."
            )
        raw = await self.connection.get_raw_connection()
        if raw.driver_connection is None or raw.driver_connection.is_closed():
            raise DatabaseUnavailable("The connection to the database was lost; nothing was done.")


@asynccontextmanager
async def transaction(
    engine: AsyncEngine, *, commit_timeout: float = COMMIT_TIMEOUT
) -> AsyncIterator[UnitOfWork]:
    """A unit of work: committed by `uow.commit()`, rolled back otherwise.

    Exceptions of the database leave the block translated; others leave it as they are.

    Raises:
        DatabaseUnavailable, StatementRejected, UniqueViolation: definitely nothing was done.
        OutcomeUnknown: COMMIT was sent and its answer lost.
    """
    async with _guarded(engine):
        try:
            async with AsyncExitStack() as stack:
                connection = await _connect(engine, stack)
                yield UnitOfWork(connection, commit_timeout=commit_timeout)
        except Exception as error:
            translated = translate(error)
            if translated is error:
                raise
            raise translated from None


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection without a transaction: one round trip a statement. For reads of one statement.

    Raises:
        DatabaseUnavailable, StatementRejected: no answer. (A write might have been done: use
            `transaction` for those.)
    """
    plain = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with _guarded(engine):
        try:
            async with AsyncExitStack() as stack:
                yield await _connect(plain, stack)
        except Exception as error:
            translated = translate(error)
            if translated is error:
                raise
            raise translated from None


@asynccontextmanager
async def _guarded(engine: AsyncEngine) -> AsyncIterator[None]:
    """The block as one attempt of the engine's pipeline, which sees our errors and not the driver's."""
    pipeline: Pipeline | None = engine.get_execution_options().get(_PIPELINE)
    if pipeline is None:
        yield
        return
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(pipeline.section())
        except Rejected as rejection:
            raise DatabaseUnavailable(
                "The database is given a rest or has enough to do; nothing was done.",
                retry_after=rejection.retry_after,
            ) from None
        yield


async def _connect(engine: AsyncEngine, stack: AsyncExitStack) -> AsyncConnection:
    before = _cancellations()
    try:
        return await stack.enter_async_context(engine.connect())
    except Exception as error:  # noqa: BLE001 - nothing but the database is at work here
        if _cancellations() > before:
            raise asyncio.CancelledError from None
        raise translate(error, default=DatabaseUnavailable) from None


def _cancellations() -> int:
    """How often the running task was asked to end.

    Looked at because SQLAlchemy tells a cancellation that comes while it asks its first connection
    about the server as a closed connection.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def settle_commit(
    commit: Coroutine[Any, Any, object], *, timeout: float = COMMIT_TIMEOUT
) -> None:
    """Run `commit`, shielded from cancellation and bounded in time, and tell its outcome.

    For code that commits on a driver connection of its own. See `UnitOfWork.commit`.

    Raises:
        OutcomeUnknown: no answer, or one that does not tell.
        DatabaseError: the server says that it rolled back (a deferred constraint, a conflict).
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(commit)
    end = loop.time() + timeout
    while not task.done() and (remaining := end - loop.time()) > 0:
        try:
            await asyncio.wait({task}, timeout=remaining)
        except asyncio.CancelledError:
            # The answer decides what is true; whoever cancelled learns it.
            continue
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CLIENT_MARGIN)
    if task.done() and not task.cancelled():
        error = task.exception()
        if error is None:
            return
        if _sqlstate(error)[:2] in _DEFINITE_AT_COMMIT:
            raise translate(error, default=DatabaseUnavailable) from None
    raise OutcomeUnknown(
        "The database did not confirm the commit; it may or may not have been carried out."
    ) from None


def translate(error: BaseException, *, default: type[DatabaseError] | None = None) -> BaseException:
    """The error of ours for an exception of SQLAlchemy or asyncpg; any other as it is.

    Everything is translated as *not done*: only `settle_commit` knows of unknown outcomes.

    Args:
        error: what was caught.
        default: what to make of an exception that does not tell where it comes from (a bare timeout
            or `OSError`): give it only where nothing but the database can have raised.
    """
    if isinstance(error, CodedError):
        return error
    if isinstance(error, exc.TimeoutError):
        return DatabaseUnavailable("No database connection came free in time; nothing was done.")
    cause = _driver_error(error)
    if isinstance(cause, driver.UniqueViolationError):
        name = _constraint(cause)
        return UniqueViolation(
            f"The constraint {name} forbids it.", sqlstate="23505", constraint=name
        )
    sqlstate = _sqlstate(error)
    if (
        sqlstate
        and sqlstate[:2] not in _UNAVAILABLE_CLASSES
        and sqlstate not in _UNAVAILABLE_STATES
    ):
        detail = f"The database refuses the statement (SQLSTATE {sqlstate})."
        return StatementRejected(detail, sqlstate=sqlstate, constraint=_constraint(cause))
    if isinstance(cause, driver.InterfaceError) and isinstance(cause, ValueError):
        return StatementRejected("The driver refuses a parameter of the statement.")
    if sqlstate or isinstance(cause, _UNAVAILABLE_TYPES) or hasattr(error, _MARK):
        return DatabaseUnavailable(
            "The database cannot be reached or is too slow; nothing was done."
        )
    if default is not None:
        return default("The database did not answer.")
    return error


def judge(error: Exception) -> Verdict:
    """What an error of a unit of work says about the database; the classifier of its pipeline.

    A statement that is refused was answered. What is no error of the database (a call to somebody else
    that failed within the block, a defect of ours) says nothing about it.
    """
    told = translate(error) if not isinstance(error, ResilienceError) else error
    if isinstance(told, DatabaseUnavailable | OutcomeUnknown):
        return Verdict(Fault.DEPENDENCY)
    if isinstance(told, DatabaseError):
        return Verdict(Fault.CALLER)
    return Verdict(Fault.UNKNOWN)


# Connections, lost races, resources, operators and cancellation, system and internal errors.
_UNAVAILABLE_CLASSES = frozenset({"08", "40", "53", "57", "58", "XX"})
_UNAVAILABLE_STATES = frozenset({"55P03", "25P03", "25P04", "25006"})
_UNAVAILABLE_TYPES = (
    driver.InterfaceError,
    driver.InternalClientError,
    exc.PendingRollbackError,
    exc.DBAPIError,
)
# After these the server has certainly rolled back: constraints, and lost races.
_DEFINITE_AT_COMMIT = frozenset({"23", "40"})


def _driver_error(error: BaseException) -> BaseException:
    """The exception of asyncpg inside one of SQLAlchemy; else `error`."""
    if isinstance(error, exc.StatementError) and error.orig is not None:
        inner = error.orig.__cause__
        return inner if inner is not None else error.orig
    return error


def _sqlstate(error: BaseException) -> str:
    cause = _driver_error(error)
    return str(getattr(cause, "sqlstate", None) or "")


def _constraint(cause: BaseException) -> str:
    return str(getattr(cause, "constraint_name", None) or "")


def _check_open(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    if dbapi_connection.driver_connection.is_closed():
        # The rest of the pool has most likely died with it.
        raise exc.InvalidatePoolError


def _note_failure(context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(error, TimeoutError | OSError):
        setattr(error, _MARK, True)
        # The answer may still arrive: this connection cannot be used for another question.
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
    if context.connection is not None and not context.connection.invalidated:
        context.connection.info[_FAILED] = True
    if (execution := context.execution_context) is not None:
        _close_span(execution, type(error).__name__)


def _forget_failure(connection: Any, *_: object) -> None:
    connection.info.pop(_FAILED, None)


def _begin_span(
    _: object, __: object, statement: str, ___: object, context: Any, ____: object
) -> None:
    if context is None or not within():
        return
    operation = statement.split(maxsplit=1)[0].upper()
    made = span(operation, Kind.CLIENT).__enter__()
    made.tell("db.system.name", "postgresql")
    made.tell("db.operation.name", operation)
    made.tell("db.query.text", " ".join(statement.split()))
    setattr(context, _SPAN, made)


def _end_span(_: object, __: object, ___: str, ____: object, context: Any, _____: object) -> None:
    _close_span(context, None)


def _close_span(context: Any, failure: str | None) -> None:
    made: Span | None = getattr(context, _SPAN, None)
    if made is not None:
        delattr(context, _SPAN)
        if failure is not None:
            made.fail(failure)
        made.__exit__(None, None, None)


def _address(url: str) -> tuple[URL, str | None]:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    ssl = address.query.get("sslmode")
    return address.difference_update_query(["sslmode"]), ssl if isinstance(ssl, str) else None


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
