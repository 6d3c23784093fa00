"""A process or a client that goes away at any moment loses nothing and doubles nothing."""

import asyncio
import gc
import types
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import create_engine
from chassis.errors import CodedError
from services.transactions.contract import Create, TransactionStatus
from services.transactions.parts import Parts
from tests.services.transactions.conftest import Bank, call_of, transfer_to
from tests.services.transactions.scripted_ledger import Fault

MOST_STEPS = 200


class Stepper:
    """Counts every suspension of every task that is started while it is at work, and stops the world
    at one of them: from then on no task goes on, as if the process had been killed."""

    def __init__(self, stop_at: int) -> None:
        self.steps = 0
        self.stop_at = stop_at
        self.stopped = asyncio.Event()
        self.over = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def factory(
            loop: asyncio.AbstractEventLoop, coro: Any, **options: Any
        ) -> "asyncio.Task[Any]":
            return asyncio.Task(self._follow(coro), loop=loop, **options)

        loop.set_task_factory(factory)
        try:
            yield
        finally:
            loop.set_task_factory(None)

    async def _follow(self, coro: Coroutine[Any, Any, Any]) -> Any:
        return await self._drive(coro)

    @types.coroutine
    def _drive(self, coro: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        while True:
            if self.stopped.is_set() and not self.over:
                try:
                    yield from asyncio.get_running_loop().create_future()
                except BaseException as thrown:  # noqa: BLE001 - the test clears up
                    error = thrown
            try:
                yielded = coro.send(None) if error is None else coro.throw(error)
            except StopIteration as end:
                return end.value
            error = None
            self.steps += 1
            if self.steps == self.stop_at:
                self.stopped.set()
            try:
                yield yielded
            except BaseException as thrown:  # noqa: BLE001 - handed on
                error = thrown


@asynccontextmanager
async def process(bank: Bank, url: str, name: str) -> AsyncIterator[tuple[Parts, AsyncEngine]]:
    """The service's parts with connections of their own, which are open already."""
    engine = create_engine(url, application_name=name)
    async with engine.connect(), engine.connect():
        pass
    try:
        yield bank.rebuild(engine=engine), engine
    finally:
        await engine.dispose()


async def killed_at(bank: Bank, url: str, step: int, request: Create, sender: Any) -> bool:
    """Order a transfer in a process that is killed at `step`; whether it got that far."""
    name = f"victim-{step}"
    async with process(bank, url, name) as (parts, _):
        stepper = Stepper(step)
        dying = asyncio.create_task(stepper.stopped.wait())
        before = asyncio.all_tasks()
        with stepper.watching():
            task = asyncio.create_task(parts.transfers.create(call_of(sender), request))
            await asyncio.wait({task, dying}, return_when=asyncio.FIRST_COMPLETED)
            reached = stepper.stopped.is_set()
            if not reached:
                await parts.transfers.drain()
        # The kernel closes a dead process' connections; the server then rolls back.
        await bank.rows(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE application_name = :name",
            name=name,
        )
        stepper.over = True
        dying.cancel()
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        for item in left:
            item.cancel()
        await asyncio.wait(left, timeout=5) if left else None
    return reached


# A dead process does not hand its connections back to their pool.
@pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up")
@pytest.mark.parametrize("fault", [Fault.NONE, Fault.LOST_AFTER])
async def test_killed_at_every_step(bank: Bank, database_url: str, fault: Fault) -> None:
    """Killed at any await of `create`: nothing was posted without a committed row; after a restart the
    row ends as the ledger says; and the client's retry finds or makes exactly one transaction."""
    seen: set[str] = set()
    for step in range(1, MOST_STEPS):
        ana, bruno = bank.person(1_000), bank.person()
        request = transfer_to(bruno, 7)
        bank.ledger.script.append(fault)

        reached = await killed_at(bank, database_url, step, request, ana)

        bank.ledger.script.clear()
        rows = await bank.rows("SELECT id, status FROM transactions WHERE sender_id = :a", a=ana)
        seen.add(rows[0].status if rows else "NOTHING")
        assert rows or bank.ledger.balance(bruno) == 0, f"step {step}: posted, not committed"
        if step % 2:  # the worker comes first, or the client does
            await bank.recover()
        await bank.create(ana, request)
        await bank.recover()

        (row,) = await bank.rows("SELECT * FROM transactions WHERE sender_id = :a", a=ana)
        assert row.status == "COMPLETED", f"step {step}"
        assert bank.ledger.balance(bruno) == 7, f"step {step}"
        if not reached:
            break
    else:
        pytest.fail(f"create did not end within {MOST_STEPS} steps")
    assert {"NOTHING", "PENDING"} <= seen
    gc.collect()
    events = await bank.events()
    assert len(events) == len({event.key for event in events}) == await bank.count()


async def test_client_gone_at_every_step(bank: Bank) -> None:
    """A request cancelled at any of its awaits leaves nothing, or a transaction that goes on by itself
    and that its key finds."""
    step, ended = 0, False
    while not ended:
        step += 1
        ana, bruno = bank.person(1_000), bank.person()
        request = transfer_to(bruno, 7)
        task = asyncio.create_task(bank.create(ana, request))
        ended = await _cancel_after(task, step)
        await bank.parts.transfers.drain()

        (row,) = await bank.rows("SELECT * FROM transactions WHERE sender_id = :a", a=ana) or [None]
        assert row is None or row.status == "COMPLETED"
        again = await bank.create(ana, request)
        assert again.replayed is (row is not None)
        assert again.transaction.status is TransactionStatus.COMPLETED
        assert bank.ledger.balance(bruno) == 7
        assert step < 10 * MOST_STEPS


async def _cancel_after(task: "asyncio.Task[Any]", turns: int) -> bool:
    """Let the loop turn so often, then cancel; whether the task had ended by itself."""
    for _ in range(turns):
        if task.done():
            return True
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return not task.cancelled()


async def test_lost_commit_is_an_unknown_outcome(
    bank: Bank, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the answer to the COMMIT of PENDING is lost, the client is told OUTCOME_UNKNOWN, and its retry
    finds what was committed."""
    ana, bruno = bank.person(1_000), bank.person()
    request = transfer_to(bruno, 7)
    async with process(bank, database_url, "lossy") as (parts, _):
        _lose_next_commit(monkeypatch)
        with pytest.raises(CodedError) as unknown:
            await parts.transfers.create(call_of(ana), request)
    assert unknown.value.code == "OUTCOME_UNKNOWN"
    assert unknown.value.retryable

    again = await bank.create(ana, request)
    await bank.recover()

    assert again.replayed
    assert await bank.statuses() == {again.transaction.id: "COMPLETED"}
    assert bank.ledger.balance(bruno) == 7


def _lose_next_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next COMMIT happen, and then break the connection instead of hearing of it."""
    original = asyncpg.Connection.execute

    async def execute(driver: Any, query: str, *args: Any, **options: Any) -> Any:
        done = await original(driver, query, *args, **options)
        if query.startswith("COMMIT"):
            monkeypatch.undo()
            driver.terminate()
            raise ConnectionResetError
        return done

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)


async def test_database_down_before_pending(bank: Bank) -> None:
    """If the database cannot be reached nothing was done, and the client is told so."""
    ana, bruno = bank.person(1_000), bank.person()
    engine = create_engine(
        "postgresql://nobody:nothing@127.0.0.1:1/none", application_name="none", connect_timeout=0.5
    )
    transfers = bank.rebuild(engine=engine).transfers

    with pytest.raises(CodedError) as down:
        await transfers.create(call_of(ana), transfer_to(bruno))
    await engine.dispose()

    assert down.value.code == "UNAVAILABLE"
    assert bank.ledger.calls == []
