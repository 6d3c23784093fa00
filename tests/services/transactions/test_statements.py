"""Reading: who sees what, filters, pages, and the price of a page."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.errors import CodedError
from services.transactions.contract import (
    FindTransaction,
    GetTransactions,
    ListTransactions,
    Transaction,
    TransactionPage,
    TransactionStatus,
    TransactionType,
)
from services.transactions.statements import page_query
from tests.services.transactions.conftest import Bank, call_of, new_key, order, transfer_to
from tests.services.transactions.scripted_ledger import Fault

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def pages(
    bank: Bank, viewer: UUID, user_ids: list[UUID], role: str = "customer", **filters: Any
) -> list[TransactionPage | None]:
    request = ListTransactions(user_ids=user_ids, **filters)
    return (await bank.parts.reading.list(call_of(viewer, role=role), request)).pages


async def page(bank: Bank, user_id: UUID, **filters: Any) -> TransactionPage:
    (found,) = await pages(bank, user_id, [user_id], **filters)
    assert found is not None
    return found


async def get(
    bank: Bank, viewer: UUID, *ids: UUID, role: str = "customer"
) -> list[Transaction | None]:
    call = call_of(viewer, role=role)
    return (await bank.parts.reading.get(call, GetTransactions(ids=list(ids)))).transactions


async def test_who_sees_a_transaction(bank: Bank) -> None:
    """Participants and staff see it; to others it looks as if it did not exist."""
    ana, bruno, carla = bank.person(100), bank.person(), bank.person()
    done = await bank.transfer(ana, bruno)
    unknown = uuid4()

    for viewer in (ana, bruno):
        seen, nothing = await get(bank, viewer, done.id, unknown)
        assert seen is not None
        assert (seen.id, nothing) == (done.id, None)
    assert await get(bank, carla, done.id, unknown) == [None, None]
    assert (await get(bank, carla, done.id, role="support"))[0] is not None
    assert await get(bank, ana) == []


async def test_what_each_viewer_sees(bank: Bank) -> None:
    """The key is for the initiator; metadata is for the initiator and staff; the reason of a failure is
    not for the receiver, who would learn of the sender's balance."""
    ana, bruno = bank.person(0), bank.person()
    request = transfer_to(bruno, 5, metadata={"note": "n"}, description="shown to both")
    failed = (await bank.create(ana, request)).transaction

    def visible(seen: list[Transaction | None]) -> tuple[Any, ...]:
        (one,) = seen
        assert one is not None
        return (one.idempotency_key, one.metadata, one.failure_reason, one.description)

    key, metadata, reason = request.idempotency_key, {"note": "n"}, "INSUFFICIENT_FUNDS"
    assert visible(await get(bank, ana, failed.id)) == (key, metadata, reason, "shown to both")
    assert visible(await get(bank, bruno, failed.id)) == (None, None, None, "shown to both")
    staff = await get(bank, uuid4(), failed.id, role="admin")
    assert visible(staff) == (None, metadata, reason, "shown to both")


async def test_initiator_sees_what_they_ordered(bank: Bank) -> None:
    """Staff who ordered a reversal see it by their key; the parties see who ordered it, not the key."""
    ana, bruno = bank.person(100), bank.person()
    original = await bank.transfer(ana, bruno)
    key = new_key()
    reversal = (await bank.reverse(original.id, idempotency_key=key)).transaction

    (for_ana,) = await get(bank, ana, reversal.id)
    found = await bank.parts.reading.find(
        call_of(bank.staff, role="support"), FindTransaction(idempotency_key=key)
    )

    assert for_ana is not None
    assert (for_ana.initiated_by, for_ana.idempotency_key) == (bank.staff, None)
    assert found.transaction is not None
    assert (found.transaction.id, found.transaction.idempotency_key) == (reversal.id, key)


async def test_find_by_key(bank: Bank) -> None:
    """A key finds its transaction in its current state; an unknown or another user's finds nothing."""
    ana, bruno = bank.person(100), bank.person()
    request = transfer_to(bruno)
    bank.ledger.script.append(Fault.LOST_AFTER)
    await bank.create(ana, request)
    wanted = FindTransaction(idempotency_key=request.idempotency_key)

    async def status(user: UUID) -> TransactionStatus | None:
        found = (await bank.parts.reading.find(call_of(user), wanted)).transaction
        return None if found is None else found.status

    assert await status(ana) is TransactionStatus.PENDING
    assert await status(bruno) is None
    await bank.recover()
    assert await status(ana) is TransactionStatus.COMPLETED


async def test_statement_is_the_owners(bank: Bank) -> None:
    """A customer gets their own page and null for others, staff everybody's; in the order asked."""
    ana, bruno, carla = bank.person(100), bank.person(), bank.person()
    done = await bank.transfer(ana, bruno, 10)

    mine, not_mine, mine_again = await pages(bank, ana, [ana, bruno, ana])
    assert mine is not None
    assert mine == mine_again
    assert [item.id for item in mine.transactions] == [done.id]
    assert not_mine is None
    assert await pages(bank, carla, [ana]) == [None]
    staff = await pages(bank, uuid4(), [bruno, carla, ana], role="support")
    assert [len(found.transactions) if found else None for found in staff] == [1, 0, 1]


async def test_filters(bank: Bank) -> None:
    """Status, type, period and counterparty admit exactly what they say, alone and together."""
    ana, bruno, carla = bank.person(1_000), bank.person(1_000), bank.person()
    deposit = (await bank.create(ana, order(TransactionType.DEPOSIT))).transaction
    withdrawal = (await bank.create(ana, order(TransactionType.WITHDRAWAL))).transaction
    to_bruno = await bank.transfer(ana, bruno, 10)
    from_bruno = await bank.transfer(bruno, ana, 10)
    failed = await bank.transfer(ana, carla, 10**6)
    every = [deposit, withdrawal, to_bruno, from_bruno, failed]
    for hours, item in enumerate(every):
        await bank.execute(
            "UPDATE transactions SET created_at = :at WHERE id = :id",
            at=T0 + timedelta(hours=hours),
            id=item.id,
        )

    async def found(**filters: Any) -> list[UUID]:
        return [item.id for item in (await page(bank, ana, **filters)).transactions]

    ids = [item.id for item in reversed(every)]
    assert await found() == ids
    assert await found(status=TransactionStatus.FAILED) == [failed.id]
    assert await found(type=TransactionType.DEPOSIT) == [deposit.id]
    assert await found(counterparty_id=bruno) == [from_bruno.id, to_bruno.id]
    assert await found(counterparty_id=ana) == []
    assert await found(since=T0 + timedelta(hours=3)) == [failed.id, from_bruno.id]
    assert await found(until=T0 + timedelta(hours=1)) == [deposit.id]
    assert await found(since=T0, until=T0) == []
    other_zone = datetime.fromisoformat("2026-03-01T10:00:00-03:00")  # T0 and an hour
    assert await found(until=other_zone) == [deposit.id]
    assert await found(
        type=TransactionType.TRANSFER,
        status=TransactionStatus.COMPLETED,
        counterparty_id=bruno,
        since=T0 + timedelta(hours=2),
        until=T0 + timedelta(hours=3),
    ) == [to_bruno.id]


@pytest.mark.parametrize("year", [1, 9999])
async def test_extreme_periods(bank: Bank, year: int) -> None:
    """Times at the ends of the calendar are answered, not choked on."""
    ana = bank.person()
    done = (await bank.create(ana, order(TransactionType.DEPOSIT))).transaction
    ahead, behind = "+14:00", "-14:00"
    for zone in (ahead, behind):
        at = datetime.fromisoformat(f"{year:04}-12-31T23:59:59{zone}")
        found = (await page(bank, ana, since=at)).transactions
        assert [item.id for item in found] == ([done.id] if year == 1 else [])


@pytest.mark.parametrize("cursor", ["", "x", "A" * 32, "////////////////////////////////", "é"])
async def test_forged_cursors(bank: Bank, cursor: str) -> None:
    """A cursor that no page gave is refused, or stands for a place; it never breaks anything."""
    ana = bank.person()
    try:
        found = await page(bank, ana, after=cursor)
    except CodedError as refused:
        assert refused.code == "INVALID_INPUT"
    else:
        assert found.transactions == []


async def test_naive_times_are_refused(bank: Bank) -> None:
    """A time without a zone could mean two instants."""
    with pytest.raises(CodedError) as refused:
        await page(bank, bank.person(), since=datetime(2026, 1, 1))
    assert (refused.value.code, refused.value.field) == ("INVALID_INPUT", "since")


async def fill(bank: Bank, users: list[UUID], count: int) -> None:
    """`count` completed transfers among `users`, many of them created at the same instant."""
    await bank.execute(
        """
        INSERT INTO transactions (id, type, status, sender_id, receiver_id, initiated_by, amount,
            currency, idempotency_key, correlation_id, created_at, processed_at, deadline_at)
        SELECT gen_random_uuid(), 'TRANSFER', 'COMPLETED', u[1 + n % m], u[1 + (n + 1 + n / m) % m],
            u[1 + n % m], 1 + n, 'BRL', 'key-' || n, 'correlation',
            timestamptz '2026-03-01 12:00Z' + make_interval(mins => n / 7), now(), now()
        FROM (SELECT CAST(:users AS uuid[]) AS u, CAST(:m AS integer) AS m) AS p,
            generate_series(0, CAST(:count AS integer) - 1) AS n
        WHERE u[1 + n % m] <> u[1 + (n + 1 + n / m) % m]
        """,
        users=users,
        m=len(users),
        count=count,
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=st.integers(1, 40), count=st.integers(0, 90))
async def test_pages_are_whole_and_disjoint(bank: Bank, first: int, count: int) -> None:
    """Following the cursors gives every transaction once, newest first, also where times are equal and
    while new ones arrive."""
    users = [uuid4() for _ in range(3)]
    await fill(bank, users, count)
    rows = await bank.rows(
        "SELECT id FROM transactions WHERE sender_id = :u OR receiver_id = :u"
        " ORDER BY created_at DESC, id DESC",
        u=users[0],
    )
    expected = [row.id for row in rows]

    seen: list[UUID] = []
    cursor: str | None = None
    for _ in range(count + 2):
        found = await page(bank, users[0], first=first, after=cursor)
        assert len(found.transactions) <= first
        seen += [item.id for item in found.transactions]
        cursor = found.next
        if cursor is None:
            break
        await bank.execute(
            "UPDATE transactions SET description = 'x' WHERE sender_id = :u", u=users[1]
        )

    assert seen == expected


FILTERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "later page": {"after": "page"},
    "status that is rare": {"status": TransactionStatus.FAILED},
    "status that is pending": {"status": TransactionStatus.PENDING},
    "type that is rare": {"type": TransactionType.WITHDRAWAL},
    "period": {"since": T0, "until": T0 + timedelta(hours=5)},
    "counterparty": {"counterparty_id": "somebody"},
}


@pytest.fixture
async def crowded(bank: Bank) -> tuple[Bank, list[UUID]]:
    """A table of 30,000 transfers among 60 people, one of whom takes part in every other."""
    users = [uuid4() for _ in range(60)]
    await fill(bank, users, 15_000)
    await fill(bank, [users[0], *(uuid4() for _ in range(3))], 15_000)
    async with bank.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        # Rows whose commit is not on disk yet cannot be marked as visible to all.
        await autocommit.execute(text("CHECKPOINT"))
        await autocommit.execute(text("VACUUM ANALYZE transactions"))
    return bank, users


async def test_a_page_costs_an_index_scan(crowded: tuple[Bank, list[UUID]]) -> None:
    """Whatever the filters, a page reads no table from end to end, and touches few pages of it."""
    bank, users = crowded
    first_page = await page(bank, users[0])
    for name, filters in FILTERS.items():
        filters = dict(filters)
        if "after" in filters:
            filters["after"] = first_page.next
        if "counterparty_id" in filters:
            filters["counterparty_id"] = users[1]
        request = ListTransactions(user_ids=users[:2], **filters)
        query, parameters = page_query(users[:2], request)
        plan = await explain(bank, query, parameters)
        scanned = {
            node["Node Type"] for node in nodes(plan) if node.get("Relation Name") == "transactions"
        }
        assert "Seq Scan" not in scanned, name
        assert blocks(plan) < 700, f"{name}: {blocks(plan)}"


async def test_the_recovery_scan_reads_what_is_due(crowded: tuple[Bank, list[UUID]]) -> None:
    """Looking for work reads the few that are pending, not the many that are done."""
    bank, _ = crowded
    plan = await explain(
        bank,
        "SELECT id FROM transactions WHERE status = 'PENDING' AND next_attempt_at <= now()"
        " AND (lease_until IS NULL OR lease_until <= now())"
        " ORDER BY next_attempt_at LIMIT :count FOR NO KEY UPDATE SKIP LOCKED",
        {"count": 256},
    )
    assert "transactions_due" in {node.get("Index Name") for node in nodes(plan)}
    assert blocks(plan) < 10


async def test_a_page_per_user_is_one_statement(crowded: tuple[Bank, list[UUID]]) -> None:
    """A hundred users' pages take one statement, and are what each would get alone."""
    bank, users = crowded
    wanted = users[:40]
    together = await pages(bank, uuid4(), wanted, role="support", first=5)
    alone = await asyncio.gather(
        *(pages(bank, uuid4(), [user], role="support", first=5) for user in wanted[:5])
    )
    assert [found for (found,) in alone] == together[:5]
    assert all(found is not None and len(found.transactions) == 5 for found in together)


async def explain(bank: Bank, query: str, parameters: dict[str, Any]) -> dict[str, Any]:
    async with bank.engine.connect() as connection:
        raw = await connection.scalar(
            text("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + query), parameters
        )
    (found,) = json.loads(raw) if isinstance(raw, str) else raw
    plan: dict[str, Any] = found["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


def blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
