"""Postings per second: group commit beside plain prepared statements, on the same pool and server.

    .venv/bin/python -m benchmarks.ledger

It starts a PostgreSQL of its own (fsync on), and drops it at the end. Each row is a closed loop of
N tasks that post one transfer at a time, each with a new id. Both sides do the same work for a posting:
lock both accounts, look the id up after locking, decide in Python with the same code, and write the
transfer, two entries, both balances and the `user.balance.updated` events. The plain side does it
statement by statement in a transaction per posting, as most ledgers do.

Throughput depends on what else the machine does: with 32 in flight the writer mostly waits, for the disk and
for its turn, and beside other work two processes get fewer turns than the plain side's 33. What a posting
costs in CPU, here and in PostgreSQL, hardly does; so that ratio is told as well.
"""

import argparse
import asyncio
import contextlib
import os
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from baluarte import databases
from baluarte.embedded import processes
from baluarte.embedded.places import Places
from baluarte.embedded.ports import free_port
from baluarte.embedded.postgres import EmbeddedPostgres
from baluarte.migrate import migrate, with_database
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.credentials import Credentials, generate_keys
from chassis.settings import SERVICES
from services.ledger import locks, posting
from services.ledger.book import Account, Book
from services.ledger.contract import (
    POST_TRANSFERS,
    Posting,
    PostingKind,
    PostingStatus,
    PostTransfers,
    account_id_of,
)
from services.ledger.events import balance_events
from services.ledger.store import PostgresStore, Session
from services.ledger.writer import Writer
from tests import servers

ACCOUNTS = 1_000
POOLS = (10, 32)
"""Connections of the plain side: what a service has by default, and one for each of 32 in flight. The
writer has one connection of the same pool."""

GOALS = {"uniform": 5, "hot account": 8}
"""Times as many postings a second as the better of the plain rows."""

READY_SECONDS = 60.0

Post = Callable[[Posting], Awaitable[PostingStatus]]
Draw = Callable[[random.Random], tuple[UUID, UUID]]


@dataclass(frozen=True, slots=True)
class Row:
    workload: str
    in_flight: int
    side: str
    per_second: float
    p99_ms: float
    cpu_us: float
    server_cpu_us: float = 0.0

    @property
    def all_cpu_us(self) -> float:
        return self.cpu_us + self.server_cpu_us


class Plain:
    """A posting as a transaction of prepared statements on a pooled connection: eight round trips.

    As good as it gets without batches: statements prepared beforehand, one for both entries, one for
    both balances and one for both events, and nothing reset when a connection goes back to the pool.
    """

    STATEMENTS = (
        locks.ACCOUNTS_BY_ID,
        "SELECT * FROM ledger_transfers WHERE id = $1",
        """
        INSERT INTO ledger_transfers (id, kind, debit, credit, amount, currency, status)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        """
        INSERT INTO entries (transfer_id, leg, account_id, amount, balance_after, account_version)
        VALUES ($1, 1, $2, $3, $4, $5), ($1, 2, $6, $7, $8, $9)
        """,
        """
        UPDATE accounts SET balance = now.balance, version = now.version, updated_at = now()
        FROM (VALUES ($1::uuid, $2::bigint, $3::bigint), ($4, $5, $6))
            AS now (id, balance, version)
        WHERE accounts.id = now.id
        """,
        """
        INSERT INTO outbox (topic, key, payload)
        VALUES ('user-events', $1, $2), ('user-events', $3, $4)
        """,
    )

    def __init__(self, connections: list[Any], statements: list[list[Any]]) -> None:
        self._free: asyncio.Queue[tuple[Any, list[Any]]] = asyncio.Queue()
        for pair in zip(connections, statements, strict=True):
            self._free.put_nowait(pair)

    async def post(self, item: Posting) -> PostingStatus:
        connection, statements = await self._free.get()
        try:
            await connection.execute("BEGIN")
            status = await self._post(statements, item)
            await connection.execute("COMMIT")
        finally:
            self._free.put_nowait((connection, statements))
        return status

    async def _post(self, statements: list[Any], item: Posting) -> PostingStatus:
        lock, find, transfer, entries, update, outbox = statements
        rows = await lock.fetch([item.debit, item.credit])
        assert not await find.fetch(item.transfer_id)
        book = Book(now=rows[0][8], accounts={row[0]: Account(*row[:8]) for row in rows})
        result = posting.decide(book, item)
        assert result.posted is not None
        (new,) = book.new_transfers
        debit, credit = book.changed_accounts.values()
        await transfer.fetch(
            new.id, new.kind, new.debit, new.credit, new.amount, new.currency, new.status
        )
        await entries.fetch(
            new.id,
            *(new.debit, -new.amount, new.debit_balance, new.debit_version),
            *(new.credit, new.amount, new.credit_balance, new.credit_version),
        )
        await update.fetch(
            *(debit.id, debit.balance, debit.version),
            *(credit.id, credit.balance, credit.version),
        )
        keys, payloads = balance_events((debit, credit), book.now)
        await outbox.fetch(keys[0], payloads[0], keys[1], payloads[1])
        return result.posted.status


@asynccontextmanager
async def plain(pool: Any, size: int) -> AsyncIterator[Plain]:
    """The plain side on `size` connections of the pool."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(pool.acquire()) for _ in range(size)]
        yield Plain(
            connections,
            [[await each.prepare(sql) for sql in Plain.STATEMENTS] for each in connections],
        )


class Grouped:
    """A posting through the group-commit writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def post(self, item: Posting) -> PostingStatus:
        (result,) = await self._writer.post((item,), "benchmark-correlation-id")
        assert result.posted is not None, result.error
        return result.posted.status


@asynccontextmanager
async def grouped(pool: Any) -> AsyncIterator[Grouped]:
    """A running writer, on a connection of the same pool."""

    async def connect() -> Session:
        session: Session = await pool.acquire()
        return session

    stop = asyncio.Event()
    writer = Writer(PostgresStore(connect))
    task = asyncio.create_task(writer.run(stop))
    try:
        yield Grouped(writer)
    finally:
        stop.set()
        await task


async def closed_loop(
    post: Post, draw: Draw, in_flight: int, seconds: float, seed: int, data: Path
) -> Row:
    """`in_flight` tasks, each posting one transfer after the other, for `seconds`."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        rng = random.Random(seed * 1_000 + number)
        while (started := time.perf_counter()) < end:
            assert await post(drawn(rng, draw)) is PostingStatus.POSTED
            latencies.append(time.perf_counter() - started)

    server, cpu, started = _server_cpu(data), _cpu(), time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(in_flight)))
    elapsed, used = time.perf_counter() - started, _cpu() - cpu
    server = _server_cpu(data) - server
    latencies.sort()
    p99 = latencies[int(len(latencies) * 0.99)] * 1_000
    done = len(latencies)
    return Row("", in_flight, "", done / elapsed, p99, used / done * 1e6, server / done * 1e6)


def drawn(rng: random.Random, draw: Draw) -> Posting:
    """A transfer with a new id."""
    debit, credit = draw(rng)
    return Posting(
        transfer_id=UUID(int=rng.getrandbits(128)),
        kind=PostingKind.TRANSFER,
        debit=debit,
        credit=credit,
        amount=1,
        currency="BRL",
    )


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _server_cpu(data: Path) -> float:
    """Seconds of processor time of all that work in PostgreSQL's data directory."""
    total = 0.0
    for pid in processes.working_in(data, "postgres"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            total += _cpu_of(pid)
    return total


def workloads(accounts: list[UUID]) -> dict[str, Draw]:
    """Pairs of accounts, drawn cheaply: the clients share a processor with what they measure."""
    many = len(accounts)

    def uniform(rng: random.Random) -> tuple[UUID, UUID]:
        first = int(rng.random() * many)
        return accounts[first], accounts[first - 1 - int(rng.random() * (many - 1))]

    def one_hot(rng: random.Random) -> tuple[UUID, UUID]:
        other = accounts[1 + int(rng.random() * (many - 1))]
        return (accounts[0], other) if rng.random() < 0.5 else (other, accounts[0])

    return {"uniform": uniform, "hot account": one_hot}


async def prepare(pool: Any) -> list[UUID]:
    owners = [UUID(int=number, version=4) for number in range(1, ACCOUNTS + 1)]
    accounts = [account_id_of(owner) for owner in owners]
    await pool.execute(
        "INSERT INTO accounts (id, owner_id, currency, overdraft)"
        " SELECT id, owner, 'BRL', 1000000000000 FROM unnest($1::uuid[], $2::uuid[]) AS a (id, owner)",
        accounts,
        owners,
    )
    await pool.execute("ANALYZE")
    return accounts


async def measure(
    url: str, data: Path, seconds: float, rounds: int
) -> tuple[list[Row], list[UUID]]:
    rows: list[Row] = []
    seeds = count()  # one per run: every id is new
    size = max(POOLS)
    made = asyncpg.create_pool(url, min_size=size, max_size=size)  # type: ignore[no-untyped-call]
    async with made as pool:
        accounts = await prepare(pool)
        for workload, draw in workloads(accounts).items():
            for in_flight in (32, 256):
                best: dict[str, Row] = {}
                for _ in range(rounds):
                    for side, opened in sides(pool):
                        async with opened as arm:
                            row = await closed_loop(
                                arm.post, draw, in_flight, seconds, next(seeds), data
                            )
                        row = replace(row, workload=workload, side=side)
                        best[side] = max(row, best.get(side, row), key=lambda r: r.per_second)
                rows += best.values()
        await check(pool)
        await pool.execute("TRUNCATE outbox")  # not to be relayed while HTTP is measured
    return rows, accounts


def sides(pool: Any) -> Iterator[tuple[str, AbstractAsyncContextManager[Plain | Grouped]]]:
    """What is compared, group commit last."""
    for size in POOLS:
        yield f"plain, {size} connections", plain(pool, size)
    yield "group commit", grouped(pool)


async def check(pool: Any) -> None:
    """What was measured was right: money conserved, and balances equal the replay of entries."""
    total = await pool.fetchval("SELECT sum(balance) FROM accounts")
    off = await pool.fetchval(
        "SELECT count(*) FROM accounts a LEFT JOIN (SELECT account_id, sum(amount) AS amount"
        " FROM entries GROUP BY 1) e ON e.account_id = a.id WHERE a.balance <> coalesce(e.amount, 0)"
    )
    assert total == 0, total
    assert off == 0, off


def report(rows: list[Row]) -> Iterator[str]:
    yield (
        f"{'workload':<12} {'in flight':>9}  {'':<21} {'postings/s':>10} "
        f"{'p99 ms':>8} {'CPU µs':>8}  group commit is"
    )
    each = len(POOLS) + 1
    for at in range(0, len(rows), each):
        *plains, group = rows[at : at + each]
        for row in (*plains, group):
            ratio = "" if row is group else _times(group, row)
            yield (
                f"{row.workload:<12} {row.in_flight:>9}  {row.side:<21} {row.per_second:>10,.0f} "
                f"{row.p99_ms:>8.1f} {row.all_cpu_us:>8.0f}  {ratio}"
            ).rstrip()
        yield _against_goal(plains, group)
    yield "CPU for each posting: this process and PostgreSQL together."


def _times(group: Row, row: Row) -> str:
    faster, cheaper = group.per_second / row.per_second, row.all_cpu_us / group.all_cpu_us
    return f"{faster:.1f} times as fast, {cheaper:.1f} times as cheap"


def _against_goal(plains: list[Row], group: Row) -> str:
    """The goal is judged against the better of the plain rows."""
    times = group.per_second / max(row.per_second for row in plains)
    goal = GOALS[group.workload]
    verdict = "met" if times >= goal else "missed"
    return f"{'':<22}  goal: {goal} times as fast as the better: {times:.1f}, {verdict}"


async def over_http(url: str, home: Path, seconds: float, accounts: list[UUID]) -> list[str]:
    """Postings per second through a ledger process: one per request, and many per request."""
    draw, lines = workloads(accounts)["uniform"], []
    async with ledger_process(url, home) as (base, credentials, pid), open_session() as session:
        client = ServiceClient("ledger", [base], session=session, credentials=credentials)
        for in_flight, size in ((32, 1), (8, 64)):
            row = await http_loop(client, draw, in_flight, size, seconds, pid)
            lines.append(
                f"HTTP, {in_flight} requests of {size} in flight: {row.per_second:,.0f} postings/s, "
                f"p99 {row.p99_ms:.1f} ms, {row.cpu_us:.0f} µs CPU of the ledger process each"
            )
    return lines


async def http_loop(
    client: ServiceClient, draw: Draw, in_flight: int, size: int, seconds: float, pid: int
) -> Row:
    """Like `closed_loop`, with requests of `size` postings to a ledger process."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        rng = random.Random(1_000_000 + size * 1_000 + number)
        while (started := time.perf_counter()) < end:
            postings = [drawn(rng, draw) for _ in range(size)]
            answer = await client.call(
                Call.background("transactions"), POST_TRANSFERS, PostTransfers(postings=postings)
            )
            assert all(result.posted is not None for result in answer.results)
            latencies.append(time.perf_counter() - started)

    cpu, started = _cpu_of(pid), time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(in_flight)))
    elapsed, used = time.perf_counter() - started, _cpu_of(pid) - cpu
    latencies.sort()
    done = len(latencies) * size
    p99 = latencies[int(len(latencies) * 0.99)]
    return Row("", in_flight, "", done / elapsed, p99 * 1_000, used / done * 1e6)


@asynccontextmanager
async def ledger_process(url: str, home: Path) -> AsyncIterator[tuple[str, Credentials, int]]:
    """`python -m services.ledger` as in production: its base URL, a caller's credentials, its pid."""
    keys, port = home / "keys", free_port()
    generate_keys(keys, SERVICES)
    environment = {
        "PATH": os.environ["PATH"],
        "BALUARTE_LEDGER_DATABASE_URL": with_database(url, "ledger"),
        "BALUARTE_BUS_DATABASE_URL": with_database(url, "bus"),
        "BALUARTE_KEYS_DIR": str(keys),
        "BALUARTE_STATE_DIR": str(home),
        "BALUARTE_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ledger"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        base = f"http://127.0.0.1:{port}"
        await _ready(base, process)
        yield base, Credentials.load(keys, "transactions"), process.pid
    finally:
        process.terminate()
        await process.wait()


async def _ready(base: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(READY_SECONDS), open_session() as session:
        while process.returncode is None:
            try:
                async with session.get(f"{base}/health/ready") as response:
                    if response.status == 200:
                        return
            except OSError:
                pass  # not listening yet
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the ledger process ended with code {process.returncode}")


def _cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(url: str, data: Path, home: Path, seconds: float, rounds: int) -> list[str]:
    for name in ("ledger", "bus"):
        async with databases.connection(url, ssl=False) as connection:
            await connection.execute(f"CREATE DATABASE {name}")
        await migrate(with_database(url, name), name)
    rows, accounts = await measure(with_database(url, "ledger"), data, seconds, rounds)
    return [*report(rows), *await over_http(url, home, seconds, accounts)]


def main(seconds: float, rounds: int) -> None:
    with servers.reachable_directory("benchmark") as directory:
        embedded = EmbeddedPostgres(Places(directory / "state"), free_port())
        with servers.running_server(embedded) as server:
            lines = uvloop.run(measured(server.url, embedded.data, directory, seconds, rounds))
    for line in lines:
        print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=2.5, help="of each row")
    parser.add_argument("--rounds", type=int, default=3, help="alternating; the best counts")
    arguments = parser.parse_args()
    main(arguments.seconds, arguments.rounds)
