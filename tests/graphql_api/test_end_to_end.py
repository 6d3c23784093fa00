"""The gateway over the real services, each a process of its own, on a real PostgreSQL and Valkey."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from baluarte import migrate
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.credentials import Credentials, generate_keys
from chassis.settings import SERVICES
from services.users import contract as users
from tests import servers
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

START_SECONDS = 60.0
"""For all five processes on a busy machine."""

MODULES = {name: f"services.{name}" for name in SERVICES} | {"gateway": "graphql_api"}

PASSWORD = "correct horse battery"
REGISTER = """mutation($input: RegisterInput!) { register(input: $input) {
    accessToken refreshToken user { id name } } }"""
DEPOSIT = "mutation($input: CashInput!) { deposit(input: $input) { id status } }"
TRANSFER = """mutation($input: TransferInput!) { transfer(input: $input) {
    id status failureReason amount { amount } sender { name } receiver { name } } }"""
BALANCE = "{ account { balance { amount } balanceAsOf freshness { state ageSeconds } } }"
BY_KEY = "query($key: String!) { transaction(idempotencyKey: $key) { id status } }"
OVERVIEW = """{
  me { name role freshness { state }
    account { balance { amount } available { amount } freshness { state } } }
  transactions { edges { node {
    id type status amount { amount } description
    sender { name freshness { state } } receiver { name freshness { state } }
  } } pageInfo { hasNextPage } }
  notifications { edges { node { type title transaction { id } } } }
}"""


class Bank:
    """The running platform, and clients of its gateway."""

    def __init__(self, environ: dict[str, dict[str, str]], logs: Path) -> None:
        self.environ = environ
        self.session = aiohttp.ClientSession()
        self._logs = logs
        self._processes: dict[str, tuple[asyncio.subprocess.Process, BinaryIO]] = {}

    def base(self, name: str) -> str:
        return f"http://127.0.0.1:{self.environ[name]['BALUARTE_PORT']}"

    async def start(self, *names: str) -> None:
        """Start processes together and wait until each is ready."""
        for name in names:
            log = (self._logs / f"{name}.log").open("ab")
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                MODULES[name],
                env={**os.environ, **self.environ[name]},
                stdout=log,
                stderr=log,
            )
            self._processes[name] = (process, log)
        for name in names:
            await eventually(partial(self._ready, name), START_SECONDS, why=name)

    async def _ready(self, name: str) -> bool:
        process, _ = self._processes[name]
        if process.returncode is not None:
            raise RuntimeError((self._logs / f"{name}.log").read_text()[-3_000:])
        try:
            async with self.session.get(f"{self.base(name)}/health/ready") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False

    async def stop(self, *names: str) -> None:
        for name in names:
            process, log = self._processes.pop(name)
            process.terminate()
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            log.close()

    async def close(self) -> None:
        await self.stop(*reversed(list(self._processes)))
        await self.session.close()

    async def ask(
        self, query: str, variables: dict[str, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """The whole GraphQL answer."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": query, "variables": variables or {}}
        async with self.session.post(
            f"{self.base('gateway')}/graphql", json=body, headers=headers
        ) as reply:
            answer: dict[str, Any] = await reply.json()
            return answer

    async def register(self, name: str) -> dict[str, Any]:
        """A new customer's session, once the account is open."""

        async def registered() -> dict[str, Any]:
            email = f"{name}-{uuid4().hex}@example.com"
            given = {"email": email, "password": PASSWORD, "name": name}
            answer = await self.ask(REGISTER, {"input": given})
            found: dict[str, Any] | None = answer["data"]["register"]
            assert found is not None, answer  # a breaker that the last outage opened closes soon
            return found

        session: dict[str, Any] = await eventually(registered, 30, why="somebody is registered")

        async def opened() -> bool:
            answer = await self.ask("{ account { id } }", token=session["accessToken"])
            return bool((answer.get("data") or {}).get("account"))

        await eventually(opened, 15, why="the account is opened")
        return session

    async def deposit(self, session: dict[str, Any], amount: str) -> dict[str, Any]:
        given = {"idempotencyKey": uuid4().hex, "amount": {"amount": amount, "currency": "BRL"}}
        return await self.ask(DEPOSIT, {"input": given}, session["accessToken"])

    async def transfer(
        self, sender: dict[str, Any], receiver: dict[str, Any], amount: str, key: str
    ) -> dict[str, Any]:
        given = {
            "idempotencyKey": key,
            "receiverId": receiver["user"]["id"],
            "amount": {"amount": amount, "currency": "BRL"},
            "description": "Lunch",
        }
        return await self.ask(TRANSFER, {"input": given}, sender["accessToken"])

    async def settled(self, session: dict[str, Any], key: str) -> str:
        """The final status of the transaction of that key."""

        async def final() -> str | None:
            answer = await self.ask(BY_KEY, {"key": key}, session["accessToken"])
            status = ((answer.get("data") or {}).get("transaction") or {}).get("status")
            return status if status not in {None, "PENDING"} else None

        return str(await eventually(final, 20, why=f"{key} is settled"))


def free_ports(count: int) -> list[int]:
    """Ports that were free together a moment ago."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


async def new_database(server: servers.PostgresServer, service: str) -> str:
    name = servers.database_names(f"gateway_{service}")
    await migrate.create_missing(server.url, [name])
    await migrate.migrate(server.database_url(name), service)
    return server.database_url(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bank(
    postgres_server: servers.PostgresServer,
    valkey_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Bank]:
    """The platform, up, on fresh databases. A test that stops a part starts it again."""
    folder = tmp_path_factory.mktemp("bank")
    generate_keys(folder / "keys", (*SERVICES, "baluarte"))
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    shared = {
        "BALUARTE_ENVIRONMENT": "development",
        "BALUARTE_STATE_DIR": str(folder),
        "BALUARTE_KEYS_DIR": str(folder / "keys"),
        "BALUARTE_REDIS_URL": valkey_url,
        "BALUARTE_BUS_DATABASE_URL": await new_database(postgres_server, "bus"),
        "BALUARTE_RATE_LIMIT": "100000",
        "BALUARTE_LOGIN_LIMIT_ADDRESS": "100000",
    }
    for name in SERVICES:
        shared[f"BALUARTE_{name.upper()}_URLS"] = f"http://127.0.0.1:{ports[name]}"
        if name != "gateway":
            url = await new_database(postgres_server, name)
            shared[f"BALUARTE_{name.upper()}_DATABASE_URL"] = url
    opened = Bank(
        {name: {**shared, "BALUARTE_PORT": str(ports[name])} for name in SERVICES}, folder
    )
    try:
        await opened.start(*SERVICES)
        yield opened
    finally:
        await opened.close()


def nodes(answer: dict[str, Any], field: str) -> list[dict[str, Any]]:
    return [edge["node"] for edge in answer["data"][field]["edges"]]


async def test_money_moves_from_one_customer_to_another(bank: Bank) -> None:
    """Register two, deposit, transfer: both statements, balances and notifications tell the same story."""
    ana, bia = await bank.register("Ana"), await bank.register("Bia")
    assert (await bank.deposit(ana, "100.00"))["data"]["deposit"]["status"] in {
        "PENDING",
        "COMPLETED",
    }

    async def rich() -> bool:
        answer = await bank.ask(OVERVIEW, token=ana["accessToken"])
        return bool(answer["data"]["me"]["account"]["balance"]["amount"] == "100.00")

    await eventually(rich, 15)
    key = uuid4().hex
    sent = await bank.transfer(ana, bia, "25.50", key)
    assert sent["data"]["transfer"]["receiver"] == {"name": "Bia"}
    assert await bank.settled(ana, key) == "COMPLETED"
    again = await bank.transfer(ana, bia, "25.50", key)
    assert again["data"]["transfer"]["id"] == sent["data"]["transfer"]["id"]
    conflict = await bank.transfer(ana, bia, "25.51", key)
    assert conflict["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_CONFLICT"

    for person, balance in ((ana, "74.50"), (bia, "25.50")):

        async def told(person: dict[str, Any] = person) -> bool:
            answer = await bank.ask(OVERVIEW, token=person["accessToken"])
            types = {note["type"] for note in nodes(answer, "notifications")}
            return "transaction.completed" in types

        await eventually(told, 20, why="the notification has come")
        answer = await bank.ask(OVERVIEW, token=person["accessToken"])
        assert "errors" not in answer
        assert answer["data"]["me"]["account"]["balance"]["amount"] == balance
        transfer = nodes(answer, "transactions")[0]
        assert transfer["id"] == sent["data"]["transfer"]["id"]
        assert transfer["status"] == "COMPLETED"
        assert transfer["sender"] == {"name": "Ana", "freshness": {"state": "FRESH"}}


async def test_funds_and_strangers(bank: Bank) -> None:
    """What is not there cannot be sent, and what is another's cannot be seen."""
    ana, bia, eva = [await bank.register(name) for name in ("Ana", "Bia", "Eva")]
    key = uuid4().hex
    await bank.transfer(ana, bia, "1.00", key)
    assert await bank.settled(ana, key) == "FAILED"
    found = await bank.ask(
        "query($key: String!) { transaction(idempotencyKey: $key) { id failureReason } }",
        {"key": key},
        ana["accessToken"],
    )
    assert found["data"]["transaction"]["failureReason"] == "INSUFFICIENT_FUNDS"
    by_id = "query($id: ID!) { transaction(id: $id) { id } }"
    stranger = await bank.ask(by_id, {"id": found["data"]["transaction"]["id"]}, eva["accessToken"])
    assert stranger["errors"][0]["extensions"]["code"] == "TRANSACTION_NOT_FOUND"
    unseen = await bank.ask(BY_KEY, {"key": key}, eva["accessToken"])
    assert unseen == {"data": {"transaction": None}}


async def test_cursors_are_the_services(bank: Bank) -> None:
    """The gateway's edge cursors are understood by the service: pages join without gap or overlap."""
    ana = await bank.register("Ana")
    for _ in range(4):
        await bank.deposit(ana, "1.00")
    page = """query($first: Int!, $after: String) { transactions(first: $first, after: $after) {
        edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }"""
    whole = await bank.ask(page, {"first": 10}, ana["accessToken"])
    edges = whole["data"]["transactions"]["edges"]
    assert len(edges) == 4
    rest = await bank.ask(page, {"first": 10, "after": edges[1]["cursor"]}, ana["accessToken"])
    assert [edge["node"] for edge in rest["data"]["transactions"]["edges"]] == [
        edge["node"] for edge in edges[2:]
    ]


async def test_sessions_outlive_the_users_service(bank: Bank) -> None:
    """With users stopped, signed-in people still move money and read statements, with old names and the
    own profile marked; a gateway that starts meanwhile serves them too, with the copies in Valkey."""
    ana, bia = await bank.register("Ana"), await bank.register("Bia")
    await bank.deposit(ana, "10.00")

    async def names_known() -> bool:
        key = uuid4().hex
        await bank.transfer(ana, bia, "0.01", key)
        answer = await bank.ask(OVERVIEW, token=ana["accessToken"])
        return bool(nodes(answer, "transactions")[0]["receiver"])

    await eventually(names_known, 15)
    await bank.stop("users")
    for restarted in (False, True):
        if restarted:
            await bank.stop("gateway")
            await bank.start("gateway")
        key = uuid4().hex
        sent = await bank.transfer(ana, bia, "1.00", key)
        assert sent["data"]["transfer"] is not None, sent
        assert await bank.settled(ana, key) == "COMPLETED"
        answer = await bank.ask(OVERVIEW, token=ana["accessToken"])
        me = answer["data"]["me"]
        assert (me["name"], me["role"]) == ("Ana", "CUSTOMER")
        assert me["freshness"] == {"state": "STALE"}
        assert me["account"]["freshness"]["state"] == "FRESH"
        receiver = nodes(answer, "transactions")[0]["receiver"]
        assert receiver == {"name": "Bia", "freshness": {"state": "STALE"}}
        assert {item["service"] for item in answer["extensions"]["degraded"]} == {"users"}
    login = await bank.ask(
        'mutation { login(input: { email: "a@example.com", password: "whatever" }) { accessToken } }'
    )
    assert login["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    await bank.start("users")


async def test_without_the_ledger_balances_are_old_and_transfers_wait(bank: Bank) -> None:
    """With the ledger stopped a balance is the last one, marked, with the instant at which it was true; a
    transfer is accepted as PENDING, and is completed when the ledger is back."""
    ana, bia = await bank.register("Ana"), await bank.register("Bia")
    await bank.deposit(ana, "5.00")

    async def account() -> dict[str, Any]:
        answer = await bank.ask(BALANCE, token=ana["accessToken"])
        found: dict[str, Any] | None = answer["data"]["account"]
        assert found is not None, answer  # a breaker that an outage left open closes in seconds
        return found

    async def rich() -> bool:
        return bool((await account())["balance"]["amount"] == "5.00")

    await eventually(rich, 15)
    before = await account()
    await bank.stop("ledger")
    during = await account()
    assert during["freshness"]["state"] == "STALE"
    assert during["freshness"]["ageSeconds"] >= 0
    assert {**during, "freshness": None} == {**before, "freshness": None}
    key = uuid4().hex
    sent = await bank.transfer(ana, bia, "2.00", key)
    assert sent["data"]["transfer"]["status"] == "PENDING"
    await bank.start("ledger")
    assert await bank.settled(ana, key) == "COMPLETED"

    async def paid() -> bool:
        found = await account()
        return (found["balance"]["amount"], found["freshness"]["state"]) == ("3.00", "FRESH")

    await eventually(paid, 20, why="the balance is live again")


async def test_without_transactions_money_mutations_are_coded(bank: Bank) -> None:
    """With the transactions service stopped a transfer is coded at once, and the rest is answered."""
    ana, bia = await bank.register("Ana"), await bank.register("Bia")
    await bank.stop("transactions")
    key = uuid4().hex
    refused = await bank.transfer(ana, bia, "1.00", key)
    assert refused["data"] == {"transfer": None}
    extensions = refused["errors"][0]["extensions"]
    assert extensions["code"] in {"UNAVAILABLE", "OUTCOME_UNKNOWN"}
    assert (extensions["service"], extensions["retryable"]) == ("transactions", True)
    answer = await bank.ask(OVERVIEW, token=ana["accessToken"])
    assert answer["data"]["me"]["account"]["balance"]["amount"] == "0.00"
    assert answer["data"]["transactions"] is None
    await bank.start("transactions")
    await bank.deposit(ana, "5.00")
    await bank.transfer(ana, bia, "1.00", key)
    assert await bank.settled(ana, key) in {"COMPLETED", "FAILED"}


async def test_staff_act_and_customers_do_not(bank: Bank) -> None:
    """An administrator lists, reverses and deactivates; the customer who tries hears FORBIDDEN."""
    ana, bia = await bank.register("Ana"), await bank.register("Bia")
    async with open_session() as session:
        client = ServiceClient(
            "users",
            [bank.base("users")],
            session=session,
            credentials=Credentials.load(
                Path(bank.environ["users"]["BALUARTE_KEYS_DIR"]), "baluarte"
            ),
        )
        seed = users.SeedUser(
            email="admin@example.com", password=PASSWORD, name="Admin", role=users.Role.ADMIN
        )
        await client.call(Call.background("baluarte"), users.SEED_USER, seed)
    login = """mutation { login(input: { email: "admin@example.com", password: "%s" }) {
        accessToken user { role } } }"""
    admin = (await bank.ask(login % PASSWORD))["data"]["login"]
    assert admin["user"]["role"] == "ADMIN"
    listed = await bank.ask(
        "{ users { edges { node { name account { balance { amount } } } } } }",
        token=admin["accessToken"],
    )
    assert {"Ana", "Bia", "Admin"} <= {node["name"] for node in nodes(listed, "users")}

    await bank.deposit(ana, "3.00")
    key = uuid4().hex
    sent = (await bank.transfer(ana, bia, "3.00", key))["data"]["transfer"]
    assert await bank.settled(ana, key) == "COMPLETED"
    reverse = """mutation($id: ID!, $key: String!) {
        reverse(input: { idempotencyKey: $key, transactionId: $id }) { type reversesId } }"""
    asked = {"id": sent["id"], "key": uuid4().hex}
    refused = await bank.ask(reverse, asked, ana["accessToken"])
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    reversed_ = await bank.ask(reverse, asked, admin["accessToken"])
    assert reversed_["data"]["reverse"] == {"type": "REVERSAL", "reversesId": sent["id"]}

    deactivate = """mutation($id: ID!) { setUserActive(input: { userId: $id, active: false }) {
        active } }"""
    done = await bank.ask(deactivate, {"id": bia["user"]["id"]}, admin["accessToken"])
    assert done == {"data": {"setUserActive": {"active": False}}}
    renew = "mutation($t: String!) { refreshToken(input: { refreshToken: $t }) { accessToken } }"
    ended = await bank.ask(renew, {"t": bia["refreshToken"]})
    assert ended["errors"][0]["extensions"]["code"] in {"REFRESH_TOKEN_INVALID", "USER_INACTIVE"}


async def test_health_tells_of_all(bank: Bank) -> None:
    """`/health` is up with every service up, and names the one that is stopped."""

    async def status() -> dict[str, Any]:
        async with bank.session.get(f"{bank.base('gateway')}/health") as reply:
            told: dict[str, Any] = await reply.json()
            return told

    async def up() -> bool:
        return bool((await status())["status"] == "up")

    await eventually(up, 15)
    await bank.stop("notifications")

    async def named() -> bool:
        services = (await status())["services"]
        down = {name for name, item in services.items() if item["status"] != "up"}
        return down == {"notifications"}

    await eventually(named, 15)
    await bank.start("notifications")
