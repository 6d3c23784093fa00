"""The recovery worker: every outcome becomes known, and nothing is done twice."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.database import create_engine
from chassis.metrics import Metrics
from chassis.pacing import Backoff
from services.ledger.contract import FailureReason, PostingKind
from services.transactions.contract import TransactionStatus
from services.transactions.leases import RESEND, Due, Leases
from services.transactions.recovery import RecoveryOptions
from tests.services.transactions.conftest import Bank, transfer_to
from tests.services.transactions.scripted_ledger import Fault
from tests.waiting import eventually

PENDING = TransactionStatus.PENDING
DOCS = Path(__file__).parents[3] / "docs" / "transactions.md"


async def leave_pending(bank: Bank, count: int) -> None:
    """`count` transfers whose request died before it could post them."""
    ana, bruno = bank.person(10**6), bank.person()
    bank.ledger.script.extend([Fault.REFUSED] * count)
    await asyncio.gather(*(bank.transfer(ana, bruno, 1) for _ in range(count)))
    bank.ledger.script.clear()
    bank.ledger.calls.clear()
    await bank.make_due()


async def test_recovers_by_itself(bank: Bank) -> None:
    """The worker finds what is due without being told, again and again, until the ledger answers."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.script.extend([Fault.LOST_BEFORE, Fault.REFUSED, Fault.ITEMS_UNKNOWN])
    fast = RecoveryOptions(poll=0.02, pause=Backoff(0.01, 0.02), measure_every=0.01)
    recovery = bank.rebuild(recovery=fast).recovery
    pending = await bank.transfer(ana, bruno)
    stop = asyncio.Event()
    running = asyncio.create_task(recovery.run(stop))

    async def completed() -> bool:
        await bank.make_due()
        return await bank.statuses() == {pending.id: "COMPLETED"}

    await eventually(completed)
    stop.set()
    await asyncio.wait_for(running, 10)

    assert len(bank.ledger.calls) == 4
    assert bank.ledger.moved[pending.id] == 1


async def test_sends_the_same_posting_again(bank: Bank) -> None:
    """Every attempt has the same id and the same fields: the ledger can tell that it is one."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.script.extend([Fault.LOST_BEFORE, Fault.LOST_BEFORE])
    await bank.transfer(ana, bruno)
    await bank.recover()

    first, *others = [posting for call in bank.ledger.calls for posting in call]

    assert len(others) == 2
    assert all(posting == first for posting in others)


async def test_backoff_and_lease_hold_it_back(bank: Bank) -> None:
    """A transaction that was just sent is not due: its request's lease, then its backoff, must pass."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.gate.clear()
    bank.ledger.script.append(Fault.LOST_BEFORE)
    waiting = asyncio.create_task(bank.transfer(ana, bruno))
    await eventually(lambda: len(bank.ledger.calls) == 1)
    assert await bank.parts.recovery.once() is None

    bank.ledger.gate.set()
    assert (await waiting).status is PENDING
    (row,) = await bank.rows(
        "SELECT attempts, lease_until, extract(epoch FROM next_attempt_at - created_at)::float8 AS"
        " pause FROM transactions"
    )
    assert (row.attempts, row.lease_until) == (1, None)
    assert row.pause > RESEND.minimum / 2


async def test_backoff_grows_to_its_cap(bank: Bank) -> None:
    """The pause doubles with each attempt, jittered, and never exceeds the cap."""
    await leave_pending(bank, 1)
    leases = Leases(bank.engine, resend=Backoff(1.0, 8.0), rng=random.Random(1))
    pauses = []
    for _ in range(7):
        await bank.make_due()
        (due,) = await leases.claim(10)
        await leases.release([due])
        (row,) = await bank.rows(
            "SELECT extract(epoch FROM next_attempt_at - now())::float8 AS left FROM transactions"
        )
        pauses.append((due.attempts, row.left))

    for attempts, left in pauses:
        longest = min(8.0, 2.0 ** (attempts - 1))
        assert longest * 0.5 - 5 < left <= longest


async def test_replicas_share_the_work(bank: Bank, database_url: str) -> None:
    """Several replicas recover at once: each transaction is sent by exactly one of them."""
    await leave_pending(bank, 300)
    engines = [create_engine(database_url, application_name=f"r{n}") for n in range(3)]
    workers = [
        bank.rebuild(engine=engine, recovery=RecoveryOptions(batch=32)).recovery
        for engine in engines
    ]

    async def work(number: int) -> None:
        while await workers[number].once() is not None:
            pass

    await asyncio.gather(*(work(number) for number in range(3)))
    for engine in engines:
        await engine.dispose()

    sent = Counter(posting.transfer_id for call in bank.ledger.calls for posting in call)
    assert len(sent) == 300
    assert set(sent.values()) == {1}
    assert set((await bank.statuses()).values()) == {"COMPLETED"}


async def test_lease_of_a_dead_worker_runs_out(bank: Bank) -> None:
    """What a worker took with it is free again once its lease is over, and not before."""
    await leave_pending(bank, 1)
    assert len(await bank.parts.leases.claim(10, seconds=0.2)) == 1
    assert await bank.parts.recovery.once() is None

    async def recovered() -> bool:
        return await bank.parts.recovery.once() is True

    await eventually(recovered)


async def test_late_release_does_not_end_anothers_lease(bank: Bank) -> None:
    """A worker that was paused beyond its lease cannot give back what somebody else has taken."""
    await leave_pending(bank, 1)
    (paused,) = await bank.parts.leases.claim(10, seconds=0.0)
    (taken,) = await bank.parts.leases.claim(10)
    await bank.parts.leases.release([paused])

    (row,) = await bank.rows("SELECT attempts, lease_until > now() AS leased FROM transactions")
    assert (row.attempts, row.leased) == (taken.attempts, True)


async def test_longest_due_first(bank: Bank) -> None:
    """A batch takes those that have been due the longest; nobody starves."""
    await leave_pending(bank, 4)
    ids = list(await bank.statuses())
    for age, id_ in enumerate(ids):
        await bank.execute(
            "UPDATE transactions SET next_attempt_at = now() - make_interval(secs => :age)"
            " WHERE id = :id",
            age=float(age + 1),
            id=id_,
        )

    claimed = await bank.parts.leases.claim(2)

    assert {item.row.id for item in claimed} == set(ids[2:])


async def test_gives_up_by_tombstone(bank: Bank) -> None:
    """Past its deadline a transaction the ledger has not seen is refused there, then FAILED here, and
    a posting that arrives later moves nothing."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.script.append(Fault.LATE)
    pending = await bank.transfer(ana, bruno)
    await bank.pass_deadlines()
    bank.ledger.script.append(Fault.LOST_AFTER)

    await bank.make_due()
    await bank.parts.recovery.once()
    assert (await bank.statuses())[pending.id] == "PENDING"
    await bank.recover()
    bank.ledger.deliver_late()

    (row,) = await bank.rows("SELECT status, failure_reason FROM transactions")
    assert (row.status, row.failure_reason) == ("FAILED", FailureReason.TRANSFER_ABANDONED)
    assert bank.ledger.sent(PostingKind.TOMBSTONE) == 2
    assert bank.ledger.balance(bruno) == 0


async def test_tombstone_finds_it_posted(bank: Bank) -> None:
    """If the ledger did post it, giving up comes too late: what the ledger holds wins."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.script.append(Fault.LOST_AFTER)
    pending = await bank.transfer(ana, bruno)
    await bank.pass_deadlines()
    await bank.recover()

    assert await bank.statuses() == {pending.id: "COMPLETED"}
    assert bank.ledger.sent(PostingKind.TOMBSTONE) == 1
    assert bank.ledger.balance(bruno) == 100


async def test_mismatch_is_never_guessed(bank: Bank) -> None:
    """If the ledger holds other money under the id, the transaction stays PENDING and is counted."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.script.append(Fault.LOST_BEFORE)
    pending = await bank.transfer(ana, bruno, 10)
    await bank.execute("UPDATE transactions SET amount = 11")
    posting = bank.ledger.calls[0][0]
    bank.ledger.decide(posting)

    await bank.recover(rounds=3)

    assert await bank.statuses() == {pending.id: "PENDING"}
    assert bank.metric("ledger_contradictions_total") == 3


async def test_contradiction_changes_nothing_and_stops_nobody(bank: Bank) -> None:
    """An answer that denies what is written is counted; the rest of its batch is settled."""
    ana, bruno = bank.person(100), bank.person()
    done = await bank.transfer(ana, bruno, 10)
    bank.ledger.script.append(Fault.LOST_BEFORE)
    pending = await bank.transfer(ana, bruno, 10)
    rows = await bank.parts.reading._statements.by_ids([done.id, pending.id])
    bank.ledger.refuse(done.id)  # a ledger that was restored to before that transfer

    await bank.parts.poster.post([Due(row) for row in rows.values()])

    assert await bank.statuses() == {done.id: "COMPLETED", pending.id: "COMPLETED"}
    assert bank.metric("ledger_contradictions_total") == 1


async def test_lost_settlement_is_settled_later(bank: Bank) -> None:
    """If the answer of the ledger cannot be written down, PENDING is told, and recovery writes it."""
    ana, bruno = bank.person(100), bank.person()
    await bank.execute("ALTER TABLE outbox RENAME TO outbox_away")
    pending = await bank.transfer(ana, bruno)
    await bank.execute("ALTER TABLE outbox_away RENAME TO outbox")
    assert pending.status is PENDING
    assert await bank.statuses() == {pending.id: "PENDING"}

    await bank.recover()

    assert await bank.statuses() == {pending.id: "COMPLETED"}
    assert bank.ledger.moved[pending.id] == 1
    assert len(await bank.events()) == 1


async def test_age_of_the_oldest_is_measured(bank: Bank) -> None:
    """The metrics tell how many are pending and how old the oldest is; 0 when there is none."""
    metrics = Metrics()
    recovery = bank.rebuild(metrics, recovery=RecoveryOptions(measure_every=0.001)).recovery
    read, saga = metrics.registry.get_sample_value, {"saga": "transfer"}
    await leave_pending(bank, 3)
    bank.ledger.gate.clear()
    await bank.execute("UPDATE transactions SET created_at = now() - interval '90 s'")
    stop = asyncio.Event()
    running = asyncio.create_task(recovery.run(stop))

    await eventually(lambda: read("saga_in_progress", saga) == 3)
    assert 90 <= (read("saga_oldest_in_progress_age_seconds", saga) or 0) < 120
    bank.ledger.gate.set()
    await eventually(lambda: read("saga_oldest_in_progress_age_seconds", saga) == 0)
    assert read("saga_in_progress", saga) == 0
    stop.set()
    await asyncio.wait_for(running, 10)


async def test_outage_of_the_database_is_waited_out(bank: Bank) -> None:
    """While the database cannot be read the worker waits; then it goes on."""
    await leave_pending(bank, 1)
    fast = RecoveryOptions(poll=0.02, pause=Backoff(0.01, 0.02))
    recovery = bank.rebuild(recovery=fast).recovery
    await bank.execute("ALTER TABLE transactions RENAME TO transactions_away")
    stop = asyncio.Event()
    running = asyncio.create_task(recovery.run(stop))
    await asyncio.sleep(0.1)
    assert not running.done()
    async with bank.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE transactions_away RENAME TO transactions"))

    async def completed() -> bool:
        return set((await bank.statuses()).values()) == {"COMPLETED"}

    await eventually(completed)
    stop.set()
    await asyncio.wait_for(running, 10)


@pytest.mark.parametrize(
    "options", [{"batch": 0}, {"batch": 257}, {"poll": 0.0}, {"measure_every": 0.0}]
)
def test_impossible_options(options: dict[str, float]) -> None:
    """Bounds that bound nothing are refused."""
    with pytest.raises(ValueError, match="batch"):
        RecoveryOptions(**options)  # type: ignore[arg-type]


async def test_staff_can_give_up_early(bank: Bank) -> None:
    """The statement in docs/transactions.md gives a transaction up before its day is over."""
    ana, bruno = bank.person(100), bank.person()
    bank.ledger.script.append(Fault.LOST_BEFORE)
    pending = (await bank.create(ana, transfer_to(bruno))).transaction
    statement = DOCS.read_text().partition("```sql\n")[2].partition("```")[0]
    await bank.execute(statement, id=pending.id)

    assert await bank.parts.recovery.once() is True

    assert await bank.statuses() == {pending.id: "FAILED"}
