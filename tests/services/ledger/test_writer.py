"""Group commit under concurrency and failure: what an answer says is what the database holds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from baluarte import databases
from baluarte.migrate import migrate
from chassis.errors import CodedError
from services.ledger.book import Book
from services.ledger.contract import Posting, PostingResult, PostingStatus
from services.ledger.store import Keys, PostgresStore, connector
from services.ledger.writer import Result, Writer, WriterOptions
from tests.conftest import StartPostgres
from tests.services.ledger.conftest import (
    CORRELATION,
    EXTERNAL,
    Bank,
    open_bank,
    outcome,
    running,
    transfer,
)
from tests.waiting import eventually

Act = Callable[[], Awaitable[None]]


class Interrupted(PostgresStore):
    """A store in which something happens at a chosen point, once."""

    def __init__(self, url: str) -> None:
        super().__init__(connector(url))
        self.before: dict[str, Act] = {}
        self.after: dict[str, Act] = {}

    def hold_before(self, point: str) -> tuple[asyncio.Event, asyncio.Event]:
        """Wait at that point: the events that it was reached, and that it may go on."""
        reached, release = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            reached.set()
            await release.wait()

        self.before[point] = wait
        return reached, release

    async def _at(self, moment: dict[str, Act], point: str) -> None:
        if (act := moment.pop(point, None)) is not None:
            await act()

    async def read(self, keys: Keys) -> Book:
        await self._at(self.before, "read")
        return await super().read(keys)

    async def write(self, book: Book) -> None:
        await self._at(self.before, "write")
        await super().write(book)

    async def commit(self) -> None:
        await self._at(self.before, "commit")
        await super().commit()
        await self._at(self.after, "commit")


class Noted:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Result]] = []
        self.fallbacks = 0

    def batch(self, results: Sequence[Result], seconds: float) -> None:
        assert seconds >= 0
        self.batches.append(results)

    def fell_back(self) -> None:
        self.fallbacks += 1


def killer(bank: Bank) -> Act:
    """Ends the writer's session in PostgreSQL, as a crash or an operator would."""

    async def kill() -> None:
        await bank.sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'ledger-writer' AND datname = current_database()"
        )
        await eventually(lambda: writers_gone(bank))

    return kill


async def writers_gone(bank: Bank) -> bool:
    count = await bank.sql.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'ledger-writer' AND datname = current_database()"
    )
    return bool(count == 0)


async def test_many_tasks_and_two_writers_keep_every_law(bank: Bank) -> None:
    """400 transfers among five accounts, by 40 tasks over two writers: nothing is lost or made."""
    accounts = [await bank.open(100) for _ in range(5)]
    answers: list[PostingResult] = []

    async def client(number: int, writer: Writer) -> None:
        for step in range(10):
            wish = transfer(
                accounts[(number + step) % 5], accounts[(number * 3 + step + 1) % 5], 1 + step
            )
            if wish.debit != wish.credit:
                answers.extend(await writer.post([wish, wish], CORRELATION))

    async with running(PostgresStore(connector(bank.url))) as second:
        await asyncio.gather(
            *(client(number, (bank.writer, second)[number % 2]) for number in range(40))
        )

    posted = {item.transfer_id for item in answers if outcome(item).status is PostingStatus.POSTED}
    kept = await bank.sql.fetch("SELECT id FROM ledger_transfers WHERE status = 'POSTED'")
    assert posted <= {row["id"] for row in kept}
    assert all(answers[at] == answers[at + 1] for at in range(0, len(answers), 2))
    assert sum([await bank.balance(account) for account in accounts]) == 500


async def test_one_id_from_everywhere_at_once_posts_once(bank: Bank) -> None:
    """The same posting sent 50 times over two writers moves money once and answers alike."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)

    async with running(PostgresStore(connector(bank.url))) as second:
        results = await asyncio.gather(
            *((bank.writer, second)[n % 2].post([wish], CORRELATION) for n in range(50))
        )

    assert len({outcome(result).debit_balance for (result,) in results}) == 1
    assert await bank.balance(alice) == 40


async def test_one_id_with_other_accounts_at_the_same_time(bank: Bank) -> None:
    """Two writers post one id between different accounts: one wins, the other is TRANSFER_MISMATCH."""
    accounts = [await bank.open(100) for _ in range(4)]
    for _ in range(10):
        one = transfer(accounts[0], accounts[1], 1)
        other = transfer(accounts[2], accounts[3], 1, transfer_id=one.transfer_id)

        async with running(PostgresStore(connector(bank.url))) as second:
            (first,), (last,) = await asyncio.gather(
                bank.writer.post([one], CORRELATION), second.post([other], CORRELATION)
            )

        assert {first.error, last.error} == {None, "TRANSFER_MISMATCH"}


async def test_requests_in_flight_share_a_batch(database_url: str) -> None:
    """What arrives while a batch is under way goes into the next one together."""
    noted = Noted()
    async with open_bank(database_url, observer=noted) as bank:
        alice, bob = await bank.open(100), await bank.open()
        noted.batches.clear()
        await asyncio.gather(*(bank.post(transfer(alice, bob, 1)) for _ in range(100)))

    assert len(noted.batches) <= 3
    assert sum(map(len, noted.batches)) == 100


async def test_a_bad_posting_fails_alone(database_url: str) -> None:
    """One posting that the database cannot take: it is INTERNAL, the others of its batch are posted."""
    noted = Noted()
    async with open_bank(database_url, observer=noted) as bank:
        rich, poor = await bank.open(overdraft=2**62), await bank.open()
        await bank.sql.execute("UPDATE accounts SET balance = $2 WHERE id = $1", rich, 2**63 - 10)
        await bank.sql.execute(
            "UPDATE accounts SET balance = balance - $2 WHERE id = $1", EXTERNAL, 2**63 - 10
        )

        good, bad, fine = await bank.post_all(
            [transfer(EXTERNAL, poor, 5), transfer(poor, rich, 5), transfer(EXTERNAL, rich, 100)]
        )

        assert outcome(good).status is PostingStatus.POSTED
        assert outcome(bad).status is PostingStatus.POSTED
        assert (fine.posted, fine.error) == (None, "INTERNAL")
        assert noted.fallbacks == 1
        assert await bank.count("ledger_transfers") == 2


@pytest.mark.parametrize("point", ["read", "write"])
async def test_a_session_lost_before_commit_was_not_done(database_url: str, point: str) -> None:
    """The session is killed before COMMIT: the postings are done on a new one, or UNAVAILABLE."""
    store = Interrupted(database_url)
    async with open_bank(database_url, store) as bank:
        alice, bob = await bank.open(100), await bank.open()
        wish = transfer(alice, bob, 60)
        store.before[point] = killer(bank)

        result = await bank.post(wish)

        # The session was not fresh, so a second one was tried: nothing had been done.
        assert outcome(result).debit_balance == 40
        await bank.check()


async def test_a_fresh_session_lost_before_commit_is_unavailable(database_url: str) -> None:
    """When the new session dies too, the answer is UNAVAILABLE, nothing is written, and it recovers."""
    store = Interrupted(database_url)
    async with open_bank(database_url, store) as bank:
        alice, bob = await bank.open(100), await bank.open()
        wish = transfer(alice, bob, 60)
        kill = killer(bank)

        async def twice() -> None:
            store.before["write"] = kill
            await kill()

        store.before["write"] = twice
        result = await bank.post(wish)

        assert (result.posted, result.error) == (None, "UNAVAILABLE")
        assert await bank.balance(alice) == 100
        assert outcome(await bank.post(wish)).debit_balance == 40


async def test_a_commit_whose_answer_is_lost_is_unknown_for_the_batch(database_url: str) -> None:
    """COMMIT is done and its answer lost: OUTCOME_UNKNOWN for all; asking again tells the truth."""
    store = Interrupted(database_url)
    async with open_bank(database_url, store) as bank:
        alice, bob = await bank.open(100), await bank.open()
        wishes = [transfer(alice, bob, amount) for amount in (60, 60, 5)]

        async def lose() -> None:
            raise ConnectionResetError

        store.after["commit"] = lose
        lost = await bank.post_all(wishes)
        told = await bank.post_all(wishes)

        assert {item.error for item in lost} == {"OUTCOME_UNKNOWN"}
        assert [outcome(item).debit_balance for item in told] == [40, None, 35]
        await bank.check()


async def test_a_commit_that_never_arrived_is_unknown_and_can_be_sent_again(
    database_url: str,
) -> None:
    """The session dies as COMMIT is sent: OUTCOME_UNKNOWN, truly undone, and posted when sent again."""
    store = Interrupted(database_url)
    async with open_bank(database_url, store) as bank:
        alice, bob = await bank.open(100), await bank.open()
        wish = transfer(alice, bob, 60)
        store.before["commit"] = killer(bank)

        lost = await bank.post(wish)

        assert lost.error == "OUTCOME_UNKNOWN"
        assert await bank.balance(alice) == 100
        assert outcome(await bank.post(wish)).debit_balance == 40


async def test_a_commit_that_hangs_is_bounded(database_url: str) -> None:
    """No answer to COMMIT within the bound: OUTCOME_UNKNOWN, and the next batch has a new session."""
    store = Interrupted(database_url)
    options = WriterOptions(commit_seconds=0.2)
    async with open_bank(database_url, store, options=options) as bank:
        alice, bob = await bank.open(100), await bank.open()
        wish = transfer(alice, bob, 60)
        store.after["commit"] = lambda: asyncio.sleep(60)

        assert (await bank.post(wish)).error == "OUTCOME_UNKNOWN"
        assert outcome(await bank.post(wish)).debit_balance == 40


async def test_a_locked_account_holds_up_nobody_for_long(bank: Bank) -> None:
    """Somebody keeps an account locked: its posting is UNAVAILABLE in bounded time, the other is done."""
    locked, free = await bank.open(100), await bank.open(100)
    async with databases.connection(bank.url, ssl=False) as rude:
        await rude.execute("BEGIN")
        await rude.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", locked)

        blocked, done = await bank.post_all(
            [transfer(locked, EXTERNAL, 1), transfer(free, EXTERNAL, 1)]
        )

        await rude.execute("ROLLBACK")
    assert (blocked.posted, blocked.error) == (None, "UNAVAILABLE")
    assert outcome(done).debit_balance == 99


async def test_the_queue_is_bounded(database_url: str) -> None:
    """Beyond the limit a request is OVERLOADED at once, with nothing done; what waits is served."""
    store = Interrupted(database_url)
    options = WriterOptions(batch_limit=4, queue_limit=8)
    async with open_bank(database_url, store, options=options) as bank:
        alice = await bank.open(100)

        reached, release = store.hold_before("read")
        wishes = [transfer(alice, EXTERNAL, 1) for _ in range(12)]
        waiting = [asyncio.create_task(bank.post_all(wishes[:4]))]
        await reached.wait()
        waiting += [asyncio.create_task(bank.post_all(wishes[4:8]))]
        waiting += [asyncio.create_task(bank.post_all(wishes[8:]))]
        await eventually(lambda: bank.writer.queued == 8)

        with pytest.raises(CodedError) as refused:
            await bank.post(transfer(alice, EXTERNAL, 1))
        release.set()
        results = [item for task in waiting for item in await task]

        assert refused.value.code == "OVERLOADED"
        assert all(outcome(item).status is PostingStatus.POSTED for item in results)
        assert await bank.balance(alice) == 88


async def test_a_request_larger_than_a_batch_is_refused(bank: Bank) -> None:
    """INVALID_INPUT, since it could never be taken off the queue."""
    with pytest.raises(CodedError) as refused:
        await bank.post_all([transfer(EXTERNAL, uuid4(), 1) for _ in range(257)])
    assert refused.value.code == "INVALID_INPUT"


async def test_who_has_gone_before_their_turn_is_not_posted(database_url: str) -> None:
    """A request that is cancelled while it waits leaves the queue and moves no money."""
    store = Interrupted(database_url)
    async with open_bank(database_url, store) as bank:
        alice = await bank.open(100)
        reached, release = store.hold_before("read")
        first = asyncio.create_task(bank.post(transfer(alice, EXTERNAL, 1)))
        await reached.wait()
        gone = asyncio.create_task(bank.post(transfer(alice, EXTERNAL, 50)))
        await eventually(lambda: bank.writer.queued == 1)
        gone.cancel()
        await asyncio.wait({gone})
        release.set()
        await first
        await bank.post(transfer(alice, EXTERNAL, 1))

        assert await bank.balance(alice) == 98


async def test_stopping_answers_everybody(database_url: str) -> None:
    """At the end what is queued is still posted; who comes later is told UNAVAILABLE."""
    store = Interrupted(database_url)
    writer, stop = Writer(store), asyncio.Event()
    task = asyncio.create_task(writer.run(stop))
    reached, release = store.hold_before("read")

    def ask() -> asyncio.Task[list[PostingResult]]:
        return asyncio.create_task(writer.post([transfer(EXTERNAL, uuid4(), 1)], CORRELATION))

    first = ask()
    await reached.wait()
    late = ask()
    await eventually(lambda: writer.queued == 1)
    stop.set()
    release.set()
    await task

    for waiting in (first, late):
        assert outcome((await waiting)[0]).status is PostingStatus.FAILED
    with pytest.raises(CodedError) as refused:
        await ask()
    assert refused.value.code == "UNAVAILABLE"


async def test_a_writer_that_is_cancelled_answers_truthfully(database_url: str) -> None:
    """Cancelled before COMMIT: those in the batch and those in the queue learn UNAVAILABLE."""
    store = Interrupted(database_url)
    async with open_bank(database_url) as bank:
        alice = await bank.open(100)
        writer, stop = Writer(store), asyncio.Event()
        task = asyncio.create_task(writer.run(stop))
        stuck, _ = store.hold_before("write")
        asked = asyncio.create_task(writer.post([transfer(alice, EXTERNAL, 1)], CORRELATION))
        await stuck.wait()
        queued = asyncio.create_task(writer.post([transfer(alice, EXTERNAL, 1)], CORRELATION))
        await eventually(lambda: writer.queued == 1)

        stop.set()
        task.cancel()
        await asyncio.wait({task})

        for waiting in (asked, queued):
            assert (await waiting)[0].error == "UNAVAILABLE"
        assert await bank.balance(alice) == 100


async def test_a_cancelled_writer_still_learns_of_its_commit(database_url: str) -> None:
    """Cancelled while COMMIT is under way, it waits for the answer and hands it on."""
    store = Interrupted(database_url)
    async with open_bank(database_url) as bank:
        alice = await bank.open(100)
        writer, stop = Writer(store), asyncio.Event()
        task = asyncio.create_task(writer.run(stop))
        reached, release = store.hold_before("commit")
        asked = asyncio.create_task(writer.post([transfer(alice, EXTERNAL, 1)], CORRELATION))
        await reached.wait()
        stop.set()
        task.cancel()
        await asyncio.sleep(0)
        release.set()

        assert outcome((await asked)[0]).debit_balance == 99
        await asyncio.wait({task})


async def test_a_database_that_is_away_and_comes_back(start_postgres: StartPostgres) -> None:
    """Killed under load and started again: the writer reconnects, and every answer was true."""
    server = start_postgres()
    async with databases.connection(server.url, ssl=False) as admin:
        await admin.execute("CREATE DATABASE ledger")
    url = server.database_url("ledger")
    await migrate(url, "ledger")
    async with open_bank(url) as bank:
        alice, bob = await bank.open(100_000), await bank.open()
    answers: dict[UUID, tuple[Posting, str]] = {}

    async with running(PostgresStore(connector(url))) as writer:

        async def client() -> None:
            for _ in range(15):
                wish = transfer(alice, bob, 1)
                (result,) = await writer.post([wish], CORRELATION)
                answers[wish.transfer_id] = (wish, result.error or "POSTED")

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await eventually(lambda: len(answers) > 20)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.gather(*clients)

        async def back() -> bool:
            (result,) = await writer.post([transfer(alice, bob, 1)], CORRELATION)
            return result.posted is not None

        await eventually(back, 15)
        await _compare(url, writer, answers)


async def _compare(url: str, writer: Writer, answers: dict[UUID, tuple[Posting, str]]) -> None:
    """What was said POSTED is there, what was said UNAVAILABLE is not, and unknowns get resolved."""
    async with databases.connection(url, ssl=False) as sql:
        kept: set[Any] = {row[0] for row in await sql.fetch("SELECT id FROM ledger_transfers")}
        for identity, (wish, said) in answers.items():
            if said == "OUTCOME_UNKNOWN":
                (result,) = await writer.post([wish], CORRELATION)
                assert result.posted is not None
            else:
                assert (identity in kept) == (said == "POSTED"), said
        await Bank(url, writer, sql).check()
