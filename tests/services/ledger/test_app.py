"""The ledger process over HTTP: who may enter, what comes out, and what a shutdown does."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from baluarte import databases
from baluarte.migrate import migrate
from chassis.bus.postgres import PostgresBus
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials, generate_keys
from chassis.errors import CodedError
from chassis.health import Registry
from chassis.messages import USER_EVENTS, USER_REGISTERED, Event
from chassis.settings import SERVICES, SettingsError, read_settings
from chassis.tokens import AccessTokens, KeySet
from services.ledger.app import build, compose
from services.ledger.contract import (
    GET_ACCOUNTS,
    OPEN_ACCOUNT,
    POST_TRANSFERS,
    SET_ACCOUNT_ACTIVE,
    FailureReason,
    GetAccounts,
    OpenAccount,
    PostingStatus,
    PostTransfers,
    SetAccountActive,
    account_id_of,
)
from services.users.contract import UserRegistered
from tests.asgi import serving
from tests.conftest import CreateDatabase
from tests.services.ledger.conftest import EXTERNAL, outcome, transfer
from tests.waiting import eventually


@dataclass
class Platform:
    """A served ledger, and the means to call it as any service."""

    url: str
    database: str
    bus: PostgresBus
    session: aiohttp.ClientSession
    keys: Path

    def caller(self, name: str) -> ServiceClient:
        credentials = Credentials.load(self.keys, name)
        return ServiceClient("ledger", [self.url], session=self.session, credentials=credentials)

    async def call(self, name: str, operation: Operation[Any, Any], request: Any) -> Any:
        return await self.caller(name).call(Call.background(name), operation, request)

    async def raw(self, path: str, body: bytes, *, caller: str | None = None) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        if caller is not None:
            token = Credentials.load(self.keys, caller).token_for("ledger")
            headers["authorization"] = f"Bearer {token}"
        async with self.session.post(self.url + path, data=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)


async def no_keys() -> KeySet:
    return KeySet(keys=[])


@pytest.fixture
async def platform(
    database_url: str, create_database: CreateDatabase, tmp_path: Path
) -> AsyncIterator[Platform]:
    bus_url = await create_database("bus")
    await migrate(bus_url, "bus")
    keys = tmp_path / "keys"
    generate_keys(keys, [*SERVICES, "baluarte"])
    settings = read_settings(
        {
            "BALUARTE_KEYS_DIR": str(keys),
            "BALUARTE_STATE_DIR": str(tmp_path),
            "BALUARTE_LEDGER_DATABASE_URL": database_url,
            "BALUARTE_BUS_DATABASE_URL": bus_url,
        },
        "ledger",
        peers=("users",),
    )
    bus = PostgresBus(bus_url, application_name="ledger-test")
    app = build(settings, bus=bus, tokens=AccessTokens(no_keys), registry=Registry())
    async with open_session() as session:
        async with serving(app) as url:
            yield Platform(url, database_url, bus, session, keys)
        await bus.close()


async def test_accounts_and_postings_over_http(platform: Platform) -> None:
    """Open twice, deposit, transfer, fail, and read: what the answers say is what is there."""
    alice, bob = uuid4(), uuid4()
    for owner in (alice, bob, alice):
        opened = await platform.call("users", OPEN_ACCOUNT, OpenAccount(owner_id=owner))
        assert opened.account.id == account_id_of(owner)

    wishes = [
        transfer(EXTERNAL, account_id_of(alice), 1_000),
        transfer(account_id_of(alice), account_id_of(bob), 400),
        transfer(account_id_of(bob), account_id_of(alice), 401),
    ]
    answer = await platform.call("transactions", POST_TRANSFERS, PostTransfers(postings=wishes))

    deposit, paid, refused = map(outcome, answer.results)
    assert (deposit.status, paid.debit_balance) == (PostingStatus.POSTED, 600)
    assert refused.reason is FailureReason.INSUFFICIENT_FUNDS
    seen = await platform.call(
        "transactions", GET_ACCOUNTS, GetAccounts(owner_ids=[bob, uuid4(), alice])
    )
    his, nobodys, hers = seen.accounts
    assert nobodys is None
    assert (his.balance, hers.balance, hers.available) == (400, 600, 600)


async def test_only_named_services_enter(platform: Platform) -> None:
    """Without a credential: SERVICE_UNAUTHENTICATED; with another service's: SERVICE_FORBIDDEN."""
    body = b'{"postings": []}'

    status, problem = await platform.raw(POST_TRANSFERS.path, body)
    assert (status, problem["code"]) == (401, "SERVICE_UNAUTHENTICATED")
    status, problem = await platform.raw(POST_TRANSFERS.path, body, caller="gateway")
    assert (status, problem["code"]) == (403, "SERVICE_FORBIDDEN")


def posting(**changes: object) -> str:
    fields: dict[str, object] = {
        "transferId": str(uuid4()),
        "kind": "TRANSFER",
        "debit": str(EXTERNAL),
        "credit": str(uuid4()),
        "amount": 1,
        "currency": "BRL",
    }
    return json.dumps({"postings": [fields | changes]})


BAD = [
    ("{", "BAD_REQUEST"),
    ('{"postings": []}', "INVALID_INPUT"),
    (posting(amount=0), "INVALID_INPUT"),
    (posting(amount=-5), "INVALID_INPUT"),
    (posting(amount=1.5), "INVALID_INPUT"),
    (posting(amount="1"), "INVALID_INPUT"),
    (posting(amount=10**15 + 1), "INVALID_INPUT"),
    (posting(currency="brl"), "INVALID_INPUT"),
    (posting(currency="BRL'; DROP TABLE accounts; --"), "INVALID_INPUT"),
    (posting(kind="GIFT"), "INVALID_INPUT"),
    (posting(debit="nobody"), "INVALID_INPUT"),
    (posting(surprise=1), "INVALID_INPUT"),
    (json.dumps({"postings": [{}] * 257}), "INVALID_INPUT"),
]


async def test_bad_input_is_refused_whole(platform: Platform) -> None:
    """A request that does not fit the contract gets a code, and nothing is written."""
    for body, code in BAD:
        status, problem = await platform.raw(
            POST_TRANSFERS.path, body.encode(), caller="transactions"
        )
        assert (problem["code"], status // 100) == (code, 4), body

    async with databases.connection(platform.database, ssl=False) as sql:
        assert await sql.fetchval("SELECT count(*) FROM ledger_transfers") == 0


async def test_accounts_are_refused_with_a_code(platform: Platform) -> None:
    """An unsupported currency, and an account that is not there."""
    with pytest.raises(CodedError) as refused:
        request = OpenAccount(owner_id=uuid4(), currency="USD")
        await platform.call("users", OPEN_ACCOUNT, request)
    assert refused.value.code == "UNSUPPORTED_CURRENCY"

    with pytest.raises(CodedError) as missing:
        await platform.call(
            "users", SET_ACCOUNT_ACTIVE, SetAccountActive(owner_id=uuid4(), active=False)
        )
    assert missing.value.code == "ACCOUNT_NOT_FOUND"


async def test_a_registration_opens_an_account_and_a_posting_is_told(platform: Platform) -> None:
    """`user.registered` opens the account; a deposit then leaves as `user.balance.updated`."""
    owner = uuid4()
    await platform.bus.publish([registered(owner)])

    async def opened() -> object:
        answer = await platform.call("transactions", GET_ACCOUNTS, GetAccounts(owner_ids=[owner]))
        return answer.accounts[0]

    await eventually(opened, 10)
    wish = transfer(EXTERNAL, account_id_of(owner), 5)
    await platform.call("transactions", POST_TRANSFERS, PostTransfers(postings=[wish]))

    async with databases.connection(platform.database, ssl=False) as sql:

        async def relayed() -> bool:
            return bool(await sql.fetchval("SELECT count(*) = 0 FROM outbox"))

        await eventually(relayed, 10)


def registered(owner: UUID) -> Event:
    return Event.of(
        UserRegistered(user_id=owner, name="Alice", active=True),
        topic=USER_EVENTS,
        type=USER_REGISTERED,
        key=owner,
        version=1,
        occurred_at=datetime.now(UTC),
        correlation_id="0123456789abcdef",
    )


async def test_readiness_and_metrics_tell_of_the_parts(platform: Platform) -> None:
    """Ready names PostgreSQL and the bus; the metrics have the ledger's own figures."""
    owner = uuid4()
    await platform.call("users", OPEN_ACCOUNT, OpenAccount(owner_id=owner))
    wish = transfer(EXTERNAL, account_id_of(owner), 5)
    await platform.call("transactions", POST_TRANSFERS, PostTransfers(postings=[wish]))

    async with platform.session.get(platform.url + "/health/ready") as response:
        ready = await response.text()
        assert response.status == 200
    async with platform.session.get(platform.url + "/metrics") as response:
        metrics = await response.text()

    assert "postgres" in ready
    assert 'ledger_postings_total{outcome="POSTED"} 1.0' in metrics
    assert 'ledger_imbalance_minor_units{currency="BRL",law="balances"} 0.0' in metrics
    assert "ledger_check_last_success_timestamp_seconds 1." in metrics


async def test_what_the_environment_lacks_is_told(tmp_path: Path) -> None:
    """Without its database the process does not start, and says which setting is missing."""
    with pytest.raises(SettingsError, match="BALUARTE_LEDGER_DATABASE_URL"):
        await compose({"BALUARTE_KEYS_DIR": str(tmp_path)})
