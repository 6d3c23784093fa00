"""The process over HTTP, with the real ledger beside it: who may enter, and what comes out."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import aiohttp
import pytest

from baluarte import databases
from chassis.bus.postgres import PostgresBus
from chassis.client import ServiceClient, open_session
from chassis.context import Call, new_correlation_id
from chassis.contract import Operation
from chassis.credentials import Credentials, generate_keys
from chassis.errors import CodedError
from chassis.health import Registry
from chassis.messages import (
    TRANSACTION_EVENTS,
    USER_EVENTS,
    USER_PROFILE_UPDATED,
    USER_REGISTERED,
    Event,
)
from chassis.settings import SERVICES, SettingsError, read_settings
from chassis.tokens import AccessTokens
from resilience.deadline import Deadline
from services.ledger.app import build as build_ledger
from services.ledger.contract import (
    GET_ACCOUNTS,
    OPEN_ACCOUNT,
    SET_ACCOUNT_ACTIVE,
    GetAccounts,
    OpenAccount,
    SetAccountActive,
)
from services.transactions import settings
from services.transactions.app import build, compose
from services.transactions.contract import (
    CREATE,
    FIND_TRANSACTION,
    GET_TRANSACTIONS,
    LIST_TRANSACTIONS,
    REVERSE,
    Create,
    FindTransaction,
    GetTransactions,
    ListTransactions,
    Reverse,
    Transaction,
    TransactionAnswer,
    TransactionStatus,
    TransactionType,
)
from services.transactions.ledger_port import HttpLedger
from services.users.contract import UserRegistered
from tests.asgi import serving
from tests.chassis.signing import Signer
from tests.conftest import MigratedDatabase
from tests.services.transactions.conftest import new_key, order, transfer_to
from tests.waiting import eventually

COMPLETED, FAILED = TransactionStatus.COMPLETED, TransactionStatus.FAILED


@dataclass
class Platform:
    """The transactions service and the ledger, each served with a database of its own."""

    url: str
    ledger_url: str
    database: str
    bus: PostgresBus
    session: aiohttp.ClientSession
    keys: Path
    signer: Signer

    async def call(
        self,
        operation: Operation[Any, Any],
        request: Any,
        *,
        user: UUID | None = None,
        role: str = "customer",
        caller: str = "gateway",
        seconds: float = 10.0,
    ) -> Any:
        url = self.url if operation.service == "transactions" else self.ledger_url
        credentials = Credentials.load(self.keys, caller)
        client = ServiceClient(
            operation.service, [url], session=self.session, credentials=credentials
        )
        call = Call(
            new_correlation_id(),
            Deadline.after(seconds),
            user_token=None if user is None else self.signer.token(user, role),
        )
        return await client.call(call, operation, request)

    async def person(self, balance: int = 0) -> UUID:
        user_id = uuid4()
        await self.call(OPEN_ACCOUNT, OpenAccount(owner_id=user_id), caller="users")
        if balance:
            deposit = order(TransactionType.DEPOSIT, balance)
            assert (await self.create(user_id, deposit)).transaction.status is COMPLETED
        return user_id

    async def create(self, user_id: UUID, request: Create) -> TransactionAnswer:
        """Order as a good client does: the same again until it is taken, then look until it is decided."""
        answer: TransactionAnswer | None = None
        async with asyncio.timeout(60):
            while answer is None:
                try:
                    answer = await self.call(CREATE, request, user=user_id)
                except CodedError as error:
                    if not error.retryable:
                        raise
                    await asyncio.sleep(0.2)
            while answer.transaction.status is TransactionStatus.PENDING:
                await asyncio.sleep(0.1)
                answer = await self.call(CREATE, request, user=user_id)
        assert answer is not None
        return answer

    async def reverse(self, staff: UUID, request: Reverse) -> Transaction:
        """Reverse, and look until it is decided."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.call(REVERSE, request, user=staff, role="support")
                if answer.transaction.status is not TransactionStatus.PENDING:
                    return cast("Transaction", answer.transaction)
                await asyncio.sleep(0.1)

    async def balance(self, user_id: UUID) -> int:
        request = GetAccounts(owner_ids=[user_id])
        answer = await self.call(GET_ACCOUNTS, request, caller="transactions")
        return int(answer.accounts[0].balance)

    async def raw(
        self, operation: Operation[Any, Any], body: bytes, **headers: str
    ) -> tuple[int, Any]:
        sent = {
            "content-type": "application/json",
            "authorization": "Bearer "
            + Credentials.load(self.keys, "gateway").token_for("transactions"),
            "user-authorization": f"Bearer {self.signer.token()}",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        url = self.url + operation.path
        async with self.session.post(url, data=body, headers=sent) as response:
            return response.status, await response.json(content_type=None)

    async def count(self, table: str = "transactions") -> int:
        async with databases.connection(self.database, ssl=False) as connection:
            return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))

    async def tell_name(self, user_id: UUID, name: str, version: int, type_: str) -> None:
        event = Event.of(
            UserRegistered(user_id=user_id, name=name, active=True),
            topic=USER_EVENTS,
            type=type_,
            key=user_id,
            version=version,
            occurred_at=datetime.now(UTC),
            correlation_id=new_correlation_id(),
        )
        await self.bus.publish([event])

    async def name_of(self, user_id: UUID) -> str | None:
        async with databases.connection(self.database, ssl=False) as connection:
            found = await connection.fetchval("SELECT name FROM names WHERE user_id = $1", user_id)
            return None if found is None else str(found)


@pytest.fixture
async def platform(
    database_url: str, migrated_database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[Platform]:
    bus_url, ledger_database = await migrated_database("bus"), await migrated_database("ledger")
    keys = tmp_path / "keys"
    generate_keys(keys, [*SERVICES, "baluarte"])
    environ = {
        "BALUARTE_ENVIRONMENT": "test",
        "BALUARTE_KEYS_DIR": str(keys),
        "BALUARTE_STATE_DIR": str(tmp_path),
        "BALUARTE_LEDGER_DATABASE_URL": ledger_database,
        "BALUARTE_TRANSACTIONS_DATABASE_URL": database_url,
        "BALUARTE_BUS_DATABASE_URL": bus_url,
    }
    signer, bus = Signer(), PostgresBus(bus_url, application_name="transactions-test")
    ledger_app = build_ledger(
        read_settings(environ, "ledger", peers=("users",)),
        bus=bus,
        tokens=AccessTokens(signer.fetch),
        registry=Registry(),
    )
    async with open_session() as session, serving(ledger_app) as ledger_url:
        ledger = ServiceClient(
            "ledger",
            [ledger_url],
            session=session,
            credentials=Credentials.load(keys, "transactions"),
        )
        registry = Registry()
        registry.register("ledger", ping=ledger.ping, required=False)
        app = build(
            settings.read(environ),
            bus=bus,
            ledger=HttpLedger(ledger),
            tokens=AccessTokens(signer.fetch),
            registry=registry,
        )
        async with serving(app) as url:
            yield Platform(url, ledger_url, database_url, bus, session, keys, signer)
    await bus.close()


async def test_money_moves_over_http(platform: Platform) -> None:
    """Deposit, transfer, fail, withdraw and reverse against the real ledger: answers, statements and
    balances tell the same."""
    ana, bruno, staff = await platform.person(1_000), await platform.person(), uuid4()

    paid = (await platform.create(ana, transfer_to(bruno, 400))).transaction
    refused = (await platform.create(bruno, transfer_to(ana, 401))).transaction
    out = (await platform.create(bruno, order(TransactionType.WITHDRAWAL, 100))).transaction
    reversal = Reverse(idempotency_key=new_key(), transaction_id=paid.id)
    late = await platform.reverse(staff, reversal)

    assert (paid.status, out.status) == (COMPLETED, COMPLETED)
    assert (refused.status, refused.failure_reason) == (FAILED, "INSUFFICIENT_FUNDS")
    assert (late.status, late.failure_reason) == (FAILED, "INSUFFICIENT_FUNDS")
    assert (await platform.balance(ana), await platform.balance(bruno)) == (600, 300)
    answer = await platform.call(
        LIST_TRANSACTIONS, ListTransactions(user_ids=[bruno, ana]), user=bruno
    )
    page, hidden = answer.pages
    assert [item.id for item in page.transactions] == [late.id, out.id, refused.id, paid.id]
    assert hidden is None


async def test_reversal_over_http(platform: Platform) -> None:
    """Staff take a transfer back: both sides' balances are as before, and both links are there."""
    ana, bruno, staff = await platform.person(500), await platform.person(), uuid4()
    paid = (await platform.create(ana, transfer_to(bruno, 200))).transaction
    request = Reverse(idempotency_key=new_key(), transaction_id=paid.id)

    done = await platform.reverse(staff, request)
    again = await platform.call(REVERSE, request, user=staff, role="admin")

    assert (done.status, again.replayed) == (COMPLETED, True)
    seen = await platform.call(GET_TRANSACTIONS, GetTransactions(ids=[paid.id]), user=ana)
    (original,) = seen.transactions
    assert (original.status, original.reversed_by) == (TransactionStatus.REVERSED, done.id)
    assert (await platform.balance(ana), await platform.balance(bruno)) == (500, 0)


async def test_many_at_once_over_http(platform: Platform) -> None:
    """Many requests at once, each sent twice, make one transaction each and conserve money."""
    people = [await platform.person(1_000) for _ in range(4)]
    wanted = [
        (people[number % 4], transfer_to(people[(number + 1 + number // 4 % 3) % 4], 10))
        for number in range(24)
    ]

    answers = await asyncio.gather(
        *(platform.create(user, request) for user, request in [*wanted, *wanted])
    )

    assert len({answer.transaction.id for answer in answers}) == 24
    found = [
        await platform.call(
            FIND_TRANSACTION, FindTransaction(idempotency_key=request.idempotency_key), user=user
        )
        for user, request in wanted
    ]
    assert {item.transaction.status for item in found} == {COMPLETED}
    assert sum([await platform.balance(person) for person in people]) == 4_000


async def test_accounts_decide(platform: Platform) -> None:
    """Unknown and inactive accounts are the ledger's to refuse: FAILED with its reason."""
    ana, bruno = await platform.person(100), await platform.person()
    inactive = SetAccountActive(owner_id=bruno, active=False)
    await platform.call(SET_ACCOUNT_ACTIVE, inactive, caller="users")

    unknown = (await platform.create(ana, transfer_to(uuid4(), 1))).transaction
    blocked = (await platform.create(ana, transfer_to(bruno, 1))).transaction

    assert (unknown.status, unknown.failure_reason) == (FAILED, "ACCOUNT_NOT_FOUND")
    assert (blocked.status, blocked.failure_reason) == (FAILED, "ACCOUNT_INACTIVE")


async def test_names_arrive_by_events(platform: Platform) -> None:
    """Names come from the users' events; an older event does not undo a newer name."""
    ana, bruno = await platform.person(100), await platform.person()
    await platform.tell_name(ana, "Ana", 1, USER_REGISTERED)
    await platform.tell_name(bruno, "Bruno Dois", 3, USER_PROFILE_UPDATED)
    await platform.tell_name(bruno, "Bruno", 1, USER_REGISTERED)
    await platform.tell_name(bruno, "Bruno Um", 2, USER_PROFILE_UPDATED)

    async def handled() -> bool:
        async with databases.connection(platform.database, ssl=False) as connection:
            done = await connection.fetchval("SELECT count(*) FROM inbox WHERE state = 'done'")
            return bool(done == 4)

    await eventually(handled, timeout=30)
    assert await platform.name_of(bruno) == "Bruno Dois"
    done = (await platform.create(ana, transfer_to(bruno, 1))).transaction
    assert (done.sender_name, done.receiver_name) == ("Ana", "Bruno Dois")


async def test_outcomes_reach_the_bus(platform: Platform) -> None:
    """What is settled is relayed: the outbox empties into the queue of those who asked."""
    await platform.person(100)

    async def delivered() -> bool:
        stats = await platform.bus.queue_stats()
        waiting = {(item.topic, item.group): item.depth for item in stats}
        return waiting[(TRANSACTION_EVENTS, "notifications")] == 1

    await eventually(delivered, timeout=30)
    assert await platform.count("outbox") == 0


GOOD: dict[str, Any] = {
    "idempotencyKey": "some-good-key",
    "type": "TRANSFER",
    "receiverId": str(uuid4()),
    "amount": 1,
    "currency": "BRL",
}


BAD: list[tuple[Any, int, str]] = [
    (b"{", 400, "BAD_REQUEST"),
    (b"\xff\xfe", 400, "BAD_REQUEST"),
    (b"[]", 422, "INVALID_INPUT"),
    (GOOD | {"amount": 0}, 422, "INVALID_INPUT"),
    (GOOD | {"amount": -1}, 422, "INVALID_INPUT"),
    (GOOD | {"amount": 0.5}, 422, "INVALID_INPUT"),
    (GOOD | {"amount": "10"}, 422, "INVALID_INPUT"),
    (GOOD | {"amount": 10**30}, 422, "INVALID_INPUT"),
    (GOOD | {"currency": "USD"}, 422, "UNSUPPORTED_CURRENCY"),
    (GOOD | {"unknown": 1}, 422, "INVALID_INPUT"),
    (GOOD | {"idempotencyKey": "a b c d e f"}, 422, "INVALID_INPUT"),
    (GOOD | {"idempotencyKey": "'; DROP TABLE transactions"}, 422, "INVALID_INPUT"),
    ({key: GOOD[key] for key in ("type", "amount", "currency")}, 422, "INVALID_INPUT"),
    (GOOD | {"receiverId": "' OR 1=1"}, 422, "INVALID_INPUT"),
    (GOOD | {"receiverId": None}, 422, "INVALID_INPUT"),
    (GOOD | {"type": "DEPOSIT"}, 422, "INVALID_INPUT"),
    (GOOD | {"type": "REVERSAL"}, 422, "INVALID_INPUT"),
    (GOOD | {"type": "DEPOSIT", "receiverId": None, "amount": 10**9}, 422, "DEPOSIT_LIMIT"),
    (GOOD | {"description": "\x00"}, 422, "INVALID_INPUT"),
    (GOOD | {"description": "x" * 1_000_000}, 413, "PAYLOAD_TOO_LARGE"),
    (GOOD | {"metadata": {"k": "v\x00"}}, 422, "INVALID_INPUT"),
    (GOOD | {"metadata": {"k": [1]}}, 422, "INVALID_INPUT"),
    (GOOD | {"metadata": {str(n): n for n in range(21)}}, 422, "INVALID_INPUT"),
]


async def test_bad_bodies(platform: Platform) -> None:
    """Each kind of bad input has its code, and leaves nothing in the database."""
    for body, status, code in BAD:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer, problem = await platform.raw(CREATE, raw)
        assert (answer, problem["code"]) == (status, code), raw[:200]
    assert await platform.count() == await platform.count("idempotency") == 0


async def test_transfer_to_oneself_over_http(platform: Platform) -> None:
    """A transfer to oneself is refused and not written."""
    ana = await platform.person()
    with pytest.raises(CodedError) as refused:
        await platform.create(ana, transfer_to(ana))
    assert (refused.value.code, await platform.count()) == ("SELF_TRANSFER", 0)


async def test_who_may_enter(platform: Platform) -> None:
    """No service credential, another service's, no user, a forged and an expired token: a code each."""
    body = json.dumps(GOOD).encode()
    other = Credentials.load(platform.keys, "users").token_for("transactions")
    elsewhere = Credentials.load(platform.keys, "gateway").token_for("ledger")
    expired = platform.signer.token(now=1_600_000_000)
    for headers, code in (
        ({"authorization": ""}, "SERVICE_UNAUTHENTICATED"),
        ({"authorization": "Bearer nonsense"}, "SERVICE_UNAUTHENTICATED"),
        ({"authorization": f"Bearer {elsewhere}"}, "SERVICE_UNAUTHENTICATED"),
        ({"authorization": f"Bearer {other}"}, "SERVICE_FORBIDDEN"),
        ({"user_authorization": ""}, "UNAUTHENTICATED"),
        ({"user_authorization": "Bearer a.b.c"}, "UNAUTHENTICATED"),
        ({"user_authorization": f"Bearer {expired}"}, "TOKEN_EXPIRED"),
    ):
        _, problem = await platform.raw(CREATE, body, **headers)
        assert problem["code"] == code, headers
    assert await platform.count() == 0


async def test_readiness_and_metrics(platform: Platform) -> None:
    """Readiness names PostgreSQL and the ledger; the metrics have the figures of money."""
    await platform.person(100)
    async with platform.session.get(platform.url + "/health/ready") as response:
        assert response.status == 200
        ready = await response.text()
    assert "postgres" in ready
    assert "ledger" in ready

    async def told() -> bool:
        async with platform.session.get(platform.url + "/metrics") as response:
            metrics = (await response.text()).splitlines()
        return {
            'bank_transfers_total{outcome="completed",type="deposit"} 1.0',
            "bank_transfers_accepted_total 1.0",
            'saga_oldest_in_progress_age_seconds{saga="transfer"} 0.0',
            'saga_in_progress{saga="transfer"} 0.0',
        } <= set(metrics)

    await eventually(told, timeout=30)


async def test_compose_needs_its_settings(tmp_path: Path) -> None:
    """Without its database the process does not start, and says which setting is missing."""
    with pytest.raises(SettingsError, match="BALUARTE_TRANSACTIONS_DATABASE_URL"):
        await compose({"BALUARTE_KEYS_DIR": str(tmp_path)})
