"""The auditor on real databases: it reads what the services' own migrations made, and writes nothing."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import pytest

from baluarte.migrate import migrate
from chaos.history.auditor import Auditor
from chaos.history.checker import check
from chaos.history.client import SampleError
from chaos.history.events import Status
from chaos.history.snapshot import AuditError, Urls, connect, snapshot, where
from chaos.history.state import (
    AccountRow,
    EffectRow,
    EntryRow,
    HoldRow,
    MessageRow,
    PostingRow,
    ServerState,
)
from tests import servers
from tests.chaos.history.stories import Story
from tests.conftest import CreateDatabase


def uid(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)


SERVICES = ("ledger", "transactions", "notifications")
ANA, BIA, OUTSIDE, USER, T1 = map(uid, ("ana", "bia", "outside", "user", "t1"))
KIND = "transaction.completed"

LEDGER = f"""
INSERT INTO accounts (id, owner_id, name, currency, balance, held, overdraft, version) VALUES
    ('{ANA}', '{USER}', NULL, 'BRL', 30, 5, 10, 1),
    ('{OUTSIDE}', NULL, '@elsewhere', 'BRL', -30, 0, NULL, 1);
INSERT INTO ledger_transfers (id, kind, debit, credit, amount, currency, status, created_at)
VALUES ('{T1}', 'TRANSFER', '{OUTSIDE}', '{ANA}', 30, 'BRL', 'POSTED', 'epoch');
INSERT INTO entries (transfer_id, leg, account_id, amount, balance_after, account_version) VALUES
    ('{T1}', 1, '{OUTSIDE}', -30, -30, 1), ('{T1}', 2, '{ANA}', 30, 30, 1);
INSERT INTO holds (transfer_id, account_id, credit, amount, currency, status, expires_at)
VALUES ('{uid("h1")}', '{ANA}', '{BIA}', 5, 'BRL', 'HELD', now());
"""
TRANSACTIONS = f"""
INSERT INTO transactions (id, type, status, receiver_id, initiated_by, amount, currency,
    idempotency_key, correlation_id, deadline_at, processed_at, created_at)
VALUES ('{T1}', 'DEPOSIT', 'COMPLETED', '{USER}', '{USER}', 30, 'BRL',
    'key-00001', 'c', now(), now(), 'epoch');
"""
NOTIFICATIONS = f"""
INSERT INTO notifications (id, event_id, user_id, type, title, body, transaction_id, correlation_id)
VALUES ('{uid("n1")}', '{uid("m1")}', '{USER}', '{KIND}', 't', 'b', '{T1}', 'c'),
    ('{uid("n2")}', '{uid("m2")}', '{USER}', 'user.registered', 't', 'b', NULL, 'c');
INSERT INTO inbox (consumer, message_id, topic, key, payload, state, done_at) VALUES
    ('notifications', '{uid("m1")}', 'transaction-events', '{T1}', NULL, 'done', now()),
    ('notifications', '{uid("m2")}', 'user-events', '{USER}', NULL, 'done', now());
"""


async def execute(url: str, sql: str, *values: object) -> None:
    connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call]
    try:
        await connection.execute(sql, *values)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def templates(postgres_server: servers.PostgresServer) -> Iterator[dict[str, str]]:
    """The databases as the services' migrations make them: migrated once, copied for each test."""
    names = {service: servers.database_names(f"audit_{service}") for service in SERVICES}

    async def make() -> None:
        for service, name in names.items():
            await execute(postgres_server.url, f"CREATE DATABASE {name}")
            await migrate(postgres_server.database_url(name), service)

    asyncio.run(make())
    yield names
    for name in names.values():
        drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
        asyncio.run(execute(postgres_server.url, drop))


@pytest.fixture
async def urls(create_database: CreateDatabase, templates: dict[str, str]) -> Urls:
    """The three databases, with nothing in them."""
    return Urls(
        *[await create_database(f"audit_{name}", template=templates[name]) for name in SERVICES]
    )


@pytest.fixture
async def filled(urls: Urls) -> Urls:
    """A deposit that went through all three of them."""
    await execute(urls.ledger, LEDGER)
    await execute(urls.transactions, TRANSACTIONS)
    await execute(urls.notifications, NOTIFICATIONS)
    return urls


def event(message: str, kind: str = KIND) -> bytes:
    envelope = {
        "id": str(uid(message)),
        "topic": "transaction-events",
        "type": kind,
        "key": str(T1),
    }
    return json.dumps({**envelope, "version": 2, "data": {}}).encode()


async def test_a_snapshot_holds_what_the_databases_hold(filled: Urls) -> None:
    """Every table that the checks need is read, in the checker's own terms."""
    state = await snapshot(filled)

    assert set(state.accounts) >= {
        AccountRow(str(ANA), "BRL", 30, 5, 10),
        AccountRow(str(OUTSIDE), "BRL", -30, 0, None),
    }
    assert set(state.entries) == {
        EntryRow(str(T1), 1, str(OUTSIDE), -30, -30, 1),
        EntryRow(str(T1), 2, str(ANA), 30, 30, 1),
    }
    assert state.postings == (PostingRow(str(T1), "POSTED", str(OUTSIDE), str(ANA), 30, "BRL"),)
    assert state.holds == (HoldRow(str(uid("h1")), str(ANA), 5, "HELD"),)
    (row,) = state.transactions
    assert (row.id, row.user, row.key, row.type) == (str(T1), str(USER), "key-00001", "DEPOSIT")
    assert (row.status, row.amount, row.currency) == (Status.COMPLETED, 30, "BRL")
    assert (row.sender, row.receiver, row.reverses, row.created) == (None, str(USER), None, 0)
    assert state.outbox == ()
    assert state.inbox == (MessageRow(str(uid("m1")), "", str(T1), "notifications", done=True),)
    assert state.effects == (EffectRow("notifications", KIND, str(T1), str(USER)),)
    assert state.consumers == ("notifications",)


async def test_events_are_read_where_they_lie(filled: Urls) -> None:
    """Waiting in the outbox, pending in the inbox, or damaged: each is seen as what it is."""
    insert = "INSERT INTO outbox (topic, key, payload) VALUES ($1, $2, $3)"
    await execute(filled.transactions, insert, "transaction-events", str(T1), event("m3"))
    await execute(filled.transactions, insert, "transaction-events", str(T1), b"\xff")
    await execute(filled.transactions, insert, "user-events", str(T1), event("m4"))
    take = "INSERT INTO inbox (consumer, message_id, topic, key, payload) VALUES ($1,$2,$3,$4,$5)"
    values = ("notifications", uid("m5"), "transaction-events", str(T1), event("m5"))
    await execute(filled.notifications, take, *values)

    state = await snapshot(filled)

    assert set(state.outbox) == {
        MessageRow(str(uid("m3")), KIND, str(T1)),
        MessageRow("", "undecodable", ""),
    }
    assert MessageRow(str(uid("m5")), KIND, str(T1), "notifications") in state.inbox


async def test_an_empty_platform_is_an_empty_snapshot(urls: Urls) -> None:
    """Nothing there, nothing seen, but for what migrations put there: and so no check is green."""
    state = await snapshot(urls)

    assert replace_accounts(state) == ServerState(consumers=("notifications",))


def replace_accounts(state: ServerState) -> ServerState:
    """A snapshot without its accounts: the system's own may be there from the start."""
    return ServerState(
        entries=state.entries,
        postings=state.postings,
        holds=state.holds,
        transactions=state.transactions,
        outbox=state.outbox,
        inbox=state.inbox,
        effects=state.effects,
        consumers=state.consumers,
    )


async def test_the_auditors_connection_cannot_write(urls: Urls) -> None:
    """Whatever its role may do, the auditor's session is read-only."""
    connection = await connect(urls.ledger)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM entries")
    finally:
        await connection.close()


async def test_a_role_that_may_only_read_is_enough(filled: Urls) -> None:
    """`pg_read_all_data` is all that the documentation asks for."""
    role = f"auditor_{uid(filled.ledger).hex[:8]}"
    await execute(filled.ledger, f"CREATE ROLE {role} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
    try:
        urls = Urls(
            *(
                as_role(url, role)
                for url in (filled.ledger, filled.transactions, filled.notifications)
            )
        )
        async with Auditor(urls) as auditor:
            assert (await snapshot(urls)).transactions
            assert (await auditor.sample()).totals == {"BRL": 0}
            assert await auditor.baseline()
    finally:
        await execute(filled.ledger, f"DROP ROLE {role}")


def as_role(url: str, role: str) -> str:
    scheme, rest = url.split("://", 1)
    return f"{scheme}://{role}:x@{rest.rsplit('@', 1)[-1]}"


async def test_a_sample_sums_and_names_the_overdrawn(filled: Urls) -> None:
    """One statement: totals per currency, how many accounts, and who is below the limit."""
    async with Auditor(filled) as auditor:
        calm = await auditor.sample()
        await execute(
            filled.ledger,
            "ALTER TABLE accounts DROP CONSTRAINT accounts_funds;"
            f"UPDATE accounts SET balance = -6 WHERE id = '{ANA}'",
        )
        spoilt = await auditor.sample()

    assert (calm.totals, calm.overdrawn) == ({"BRL": 0}, ())
    assert calm.accounts >= 2
    assert (spoilt.totals, spoilt.overdrawn) == ({"BRL": -36}, (str(ANA),))


async def test_a_database_that_is_away_is_told_and_found_again(filled: Urls) -> None:
    """A sample fails while its connection is gone, and the next one has a new one."""
    async with Auditor(filled) as auditor:
        await auditor.sample()
        await execute(
            filled.ledger,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'baluarte-auditor' AND datname = current_database()",
        )
        failed = 0
        for _ in range(3):
            try:
                sample = await auditor.sample()
            except SampleError:
                failed += 1

    assert failed <= 1
    assert sample.totals == {"BRL": 0}


async def test_what_cannot_be_read_is_told_without_the_password(urls: Urls) -> None:
    """The error names the database and the server, and never the credentials."""
    with pytest.raises(AuditError, match="nothing_here on") as caught:
        await snapshot(replace(urls, ledger="postgresql://me:hush@127.0.0.1:1/nothing_here"))

    assert "hush" not in str(caught.value)
    assert where("postgresql:///") == "the default database on a socket"


async def test_another_schema_is_told(create_database: CreateDatabase, urls: Urls) -> None:
    """A database without the tables is an error, never an empty snapshot."""
    empty = await create_database("audit_empty")

    with pytest.raises(AuditError, match="accounts"):
        await snapshot(replace(urls, ledger=empty))


async def test_the_baseline_is_now_on_each_databases_clock(filled: Urls) -> None:
    """Rows of earlier are older than it, rows of later are not."""
    async with Auditor(filled) as auditor:
        before = await auditor.baseline()
        await execute(
            filled.transactions,
            TRANSACTIONS.replace(str(T1), str(uid("t2")))
            .replace("'epoch'", "now()")
            .replace("key-00001", "key-00002"),
        )
    story = Story(baseline=before).told()

    report = check(story, await snapshot(filled))

    assert report["sent"].checked == 1, "the old deposit is nobody's of this run"


class Ticking:
    """A clock that moves only when something waits on it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def settled(filled: Urls) -> Urls:
    """As `filled`, with its hold ended."""
    await execute(filled.ledger, "UPDATE holds SET status = 'VOIDED'")
    await execute(filled.ledger, "UPDATE accounts SET held = 0")
    return filled


async def test_rest_is_when_nothing_moves(settled: Urls) -> None:
    """With every effect there, a second of calm is enough."""
    clock = Ticking()
    async with Auditor(settled, clock=clock, sleep=clock.sleep) as auditor:
        assert await auditor.rest(timeout=60, still=1, patience=10)

    assert clock.now == 1


async def test_missing_effects_are_waited_for_longer(settled: Urls) -> None:
    """What is on its way in a broker cannot be seen, so patience decides that it is lost."""
    await execute(settled.notifications, "DELETE FROM notifications")
    clock = Ticking()
    async with Auditor(settled, clock=clock, sleep=clock.sleep) as auditor:
        assert await auditor.rest(timeout=60, still=1, patience=10)

    assert clock.now == 10


@pytest.mark.parametrize(
    ("service", "unrest"),
    [
        ("ledger", "UPDATE holds SET status = 'HELD'"),
        (
            "transactions",
            "UPDATE transactions SET status = 'PENDING', processed_at = NULL, next_attempt_at = now()",
        ),
        (
            "transactions",
            "INSERT INTO outbox (topic, key, payload) VALUES ('transaction-events', 'k', '')",
        ),
        (
            "notifications",
            "UPDATE inbox SET state = 'pending', done_at = NULL, payload = ''",
        ),
    ],
)
async def test_what_waits_for_work_is_no_rest(settled: Urls, service: str, unrest: str) -> None:
    """Open holds, PENDING transactions, outbox and inbox rows: rest is not reached, and said so."""
    await execute(getattr(settled, service), unrest)
    clock = Ticking()
    async with Auditor(settled, clock=clock, sleep=clock.sleep) as auditor:
        state = await auditor.state(timeout=5)

    assert not state.quiet
    assert clock.now == 5
