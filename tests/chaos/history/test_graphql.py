"""The gateway's adapter against an HTTP server that misbehaves on demand."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from chaos.history import graphql
from chaos.history.answers import DOCUMENTS
from chaos.history.case import Kind
from chaos.history.client import Command, Party
from chaos.history.events import Op, Request, Status
from chaos.history.graphql import EnrolError, GraphQLClient

Answerer = Callable[["Gateway", dict[str, Any], str], Awaitable[web.StreamResponse]]


class Gateway:
    """A stand-in for the gateway: registers, signs in, and answers money as a test decides."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[dict[str, Any], str]] = []
        self.users: dict[str, tuple[str, str]] = {}
        self.tokens = 0
        self.valid: set[str] = set()
        self.accounts_pending = 1
        self.busy = 0
        self.money: Answerer = named_completed

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        query, given = body["query"], body["variables"]
        if self.busy and "register" in query:
            self.busy -= 1
            return errors("RATE_LIMITED", retryAfterSeconds=3)
        if "register" in query:
            email = given["input"]["email"]
            self.users[email] = (f"user-{len(self.users)}", given["input"]["password"])
            return self.session(email, "register")
        if "login" in query:
            email = given["input"]["email"]
            if self.users.get(email, ("", ""))[1] != given["input"]["password"]:
                return errors("INVALID_CREDENTIALS")
            return self.session(email, "login")
        if "account" in query:
            if self.accounts_pending:
                self.accounts_pending -= 1
                return data(account=None)
            return data(account={"id": f"account-of-{token}"})
        self.seen.append((body, token))
        return await self.money(self, body, token)

    def session(self, email: str, field: str) -> web.Response:
        self.tokens += 1
        token = f"token-{self.tokens}"
        self.valid.add(token)
        return data(**{field: {"accessToken": token, "user": {"id": self.users[email][0]}}})


def data(**fields: object) -> web.Response:
    return web.json_response({"data": fields})


def errors(code: str, **extensions: object) -> web.Response:
    known = {"code": code, "retryable": False, **extensions}
    return web.json_response({"data": None, "errors": [{"message": "no", "extensions": known}]})


async def named_completed(gateway: Gateway, body: dict[str, Any], token: str) -> web.Response:
    field = "transaction" if "transaction" in body["query"] else "transfer"
    return data(**{field: {"id": "t-1", "status": "COMPLETED", "failureReason": None}})


async def never(gateway: Gateway, body: dict[str, Any], token: str) -> web.Response:
    await asyncio.sleep(30)
    raise AssertionError


async def expired(gateway: Gateway, body: dict[str, Any], token: str) -> web.StreamResponse:
    if token in gateway.valid:
        return await named_completed(gateway, body, token)
    return errors("TOKEN_EXPIRED")


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    stand_in = Gateway()
    app = web.Application()
    app.router.add_post("/graphql", stand_in.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}/graphql"
    yield stand_in
    await runner.cleanup()


class Pauses:
    """Notes how long the client would have waited."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)


async def command(client: GraphQLClient) -> Command:
    """A transfer between two customers who have just been enrolled."""
    ana, bia = (await client.enrol(2)).customers
    request = Request(ana.user, ana.account, bia.account, 1250, "BRL")
    return Command(Op.TRANSFER, ana, "key-00001", request, bia)


async def test_customers_are_enrolled_with_their_accounts(gateway: Gateway) -> None:
    """Each customer is new, has a token, and an account that the platform names."""
    pauses = Pauses()
    async with GraphQLClient(gateway.url, sleep=pauses) as client:
        parties = await client.enrol(2)

    assert [party.user for party in parties.customers] == ["user-0", "user-1"]
    assert parties.customers[1].account == "account-of-token-2"
    assert parties.staff is None
    assert pauses.asked == [graphql.ENROL_PAUSE], "the account was not there at once"


async def test_staff_sign_in(gateway: Gateway) -> None:
    """Whoever reverses signs in with the credentials given."""
    gateway.users["staff@example.com"] = ("user-staff", "a secret")
    async with GraphQLClient(gateway.url, staff=("staff@example.com", "a secret")) as client:
        parties = await client.enrol(0)

    assert parties.staff == Party("user-staff", "")


async def test_a_rate_limit_is_waited_out(gateway: Gateway) -> None:
    """Registering many customers at once respects the platform's pause."""
    gateway.busy = 2
    pauses = Pauses()
    async with GraphQLClient(gateway.url, sleep=pauses) as client:
        await client.enrol(1)

    assert pauses.asked[:2] == [3, 3]


async def test_who_is_not_let_in_is_told_why(gateway: Gateway) -> None:
    """Wrong credentials end the run before it starts, naming the step and the code."""
    async with GraphQLClient(gateway.url, staff=("who@example.com", "x"), sleep=Pauses()) as client:
        with pytest.raises(EnrolError, match="cannot sign in: INVALID_CREDENTIALS"):
            await client.enrol(0)


async def test_a_command_is_sent_with_the_senders_token(gateway: Gateway) -> None:
    """The request is the mutation, its input, and the party's own credential."""
    async with GraphQLClient(gateway.url, sleep=Pauses()) as client:
        outcome = await client.perform(await command(client))

    assert outcome.kind is Kind.OK
    body, token = gateway.seen[0]
    assert token == "token-1"
    assert body["query"] == DOCUMENTS[Op.TRANSFER]
    assert body["variables"]["input"] == {
        "idempotencyKey": "key-00001",
        "amount": {"amount": "12.50", "currency": "BRL"},
        "receiverId": "user-1",
    }


async def test_a_key_is_looked_up(gateway: Gateway) -> None:
    """`find` asks by the key, as the same user."""
    async with GraphQLClient(gateway.url, sleep=Pauses()) as client:
        sent = await command(client)
        outcome = await client.find(sent.party, sent.key)

    assert outcome.answer.status is Status.COMPLETED
    assert gateway.seen[0][0]["variables"] == {"key": "key-00001"}


async def test_a_timeout_is_unknown(gateway: Gateway) -> None:
    """No answer in time says nothing."""
    gateway.money = never
    async with GraphQLClient(gateway.url, timeout=0.2, sleep=Pauses()) as client:
        outcome = await client.perform(await command(client))

    assert (outcome.kind, outcome.answer.code, outcome.retry) == (Kind.INFO, "LOST", True)


async def test_a_connection_that_closes_without_an_answer_is_unknown(gateway: Gateway) -> None:
    """A process killed in mid-request may have done it."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with GraphQLClient(gateway.url, sleep=Pauses()) as client:
        sent = await command(client)
        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        async with server:
            client._url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql"
            outcome = await client.perform(sent)

    assert (outcome.kind, outcome.answer.code) == (Kind.INFO, "LOST")


async def test_a_refused_connection_was_never_sent(gateway: Gateway) -> None:
    """Nobody listened, so nothing can have happened; trying again is worth while."""
    async with GraphQLClient(gateway.url, sleep=Pauses()) as client:
        sent = await command(client)
        server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        client._url = f"http://127.0.0.1:{port}/graphql"
        outcome = await client.perform(sent)

    assert (outcome.kind, outcome.answer.code, outcome.retry) == (Kind.FAIL, "NOT_SENT", True)


async def test_an_expired_session_is_renewed_for_the_next_attempt(gateway: Gateway) -> None:
    """A long run outlives its tokens: the refusal is told, and the retry has a new one."""
    gateway.money = expired
    async with GraphQLClient(gateway.url, sleep=Pauses()) as client:
        sent = await command(client)
        gateway.valid.clear()
        first = await client.perform(sent)
        second = await client.perform(sent)
        gateway.valid.clear()
        lost = await client.find(sent.party, sent.key)
        found = await client.find(sent.party, sent.key)

    assert (first.kind, first.retry) == (Kind.FAIL, True)
    assert second.kind is Kind.OK
    assert (lost.kind, found.kind) == (Kind.INFO, Kind.OK)


async def test_the_client_is_a_context() -> None:
    """Used without `async with` it says how to use it."""
    client = GraphQLClient("http://127.0.0.1:1/graphql")

    with pytest.raises(RuntimeError, match="async with"):
        await client.enrol(1)
