"""What is private stays where it belongs: in no log, metric, header, page or output of any process.

Every journey of this folder is made with private texts that carry a marker (`sentinels`); the journeys
here add those that go wrong, where software likes to quote what it was given. Then everything that the
platform lets an operator see is searched.
"""

import asyncio
import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog

from baluarte.embedded.places import Places
from baluarte.embedded.postgres import EmbeddedPostgres
from chassis import logs
from tests.collector import Collector
from tests.kill.platform import Platform
from tests.system import forging
from tests.system.books import Books
from tests.system.clients import (
    LOGIN,
    LOGOUT,
    REFRESH,
    REGISTER,
    TRANSFER,
    Gateway,
    Person,
    Reply,
    Services,
    brl,
    new_key,
)
from tests.system.sentinels import Sentinels
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTS = ("gateway", "users", "ledger", "transactions", "notifications")
PAGES = ("/metrics", "/health/live", "/health/ready")
PROFILE = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { id } }"
DETAILS = (
    "mutation($input: UpdateBankingDetailsInput!) { updateBankingDetails(input: $input) { id } }"
)


async def everything_visible(
    system: Platform, services: Services, sentinels: Sentinels, collector: Collector
) -> dict[str, str]:
    """All that an operator or a scraper can see, by where it is."""
    seen = {f"{part}{page}": await services.page(part, page) for part in PARTS for page in PAGES}
    seen["gateway/health"] = await services.page("gateway", "/health")
    seen["supervisor/state"] = json.dumps(await system.parts())
    seen["the output of `baluarte up`"] = system.output.read_text(errors="replace")
    seen["spans"] = "\n".join(collector.texts)
    seen["headers of answers"] = "\n".join(sentinels.headers)
    return {**seen, **written(system.state)}


def written(state: Path) -> dict[str, str]:
    """Every file in the state directory but the databases and the keys, which are there to keep secrets."""
    databases = EmbeddedPostgres(Places(state), 0).data
    private = (databases, state / "keys", state / "secrets", state / "valkey")
    return {
        str(path.relative_to(state)): path.read_text(errors="replace")
        for path in state.rglob("*")
        if path.is_file() and not any(path.is_relative_to(folder) for folder in private)
    }


async def _failing_accounts(gateway: Gateway, known: Person) -> None:
    """A taken address, wrong passwords, bad fields, a taken account number, stolen tokens."""
    made = gateway.sentinels
    taken = {"email": known.email, "password": made.text("password"), "name": made.text("name")}
    assert_code(await gateway.ask(REGISTER, {"input": taken}), "EMAIL_TAKEN")
    for email in (known.email, made.email()):
        given = {"email": email, "password": made.text("password")}
        assert_code(await gateway.ask(LOGIN, {"input": given}), "INVALID_CREDENTIALS")
    for field, value in {
        "email": made.text("no-mail"),
        "name": made.text("name") + "\n",
        "pictureUrl": "http://" + made.text("picture"),
        "address": made.text("address") + "x" * 300,
        "iban": made.text("unknown-field"),
    }.items():
        reply = await gateway.ask(REGISTER, {"input": {**taken, field: value}})
        assert_code(reply, "INVALID_INPUT")
    assert_code(await gateway.change(PROFILE, known, email="admin@baluarte.example"), "EMAIL_TAKEN")

    number = made.account_number()
    details = {"agency": "0001", "accountNumber": number, "accountType": "CHECKING"}
    owner = await gateway.register()
    (await gateway.change(DETAILS, owner, **details)).data("updateBankingDetails")
    assert_code(await gateway.change(DETAILS, known, **details), "BANKING_DETAILS_TAKEN")
    wrong = {**details, "accountNumber": number + made.text("digits")}
    assert_code(await gateway.change(DETAILS, known, **wrong), "INVALID_INPUT")

    session = await gateway.login(owner.email, owner.password)
    for document in (REFRESH, LOGOUT):
        forged = {"input": {"refreshToken": made.text("refresh-token")}}
        await gateway.ask(document, forged)
        await gateway.ask(document, {"input": {"refreshToken": session.refresh}})


async def _failing_money(gateway: Gateway, sender: Person, receiver: Person) -> None:
    """No funds, no account, another request under a known key, texts and keys out of their bounds."""
    made = gateway.sentinels

    def private(**changes: Any) -> dict[str, Any]:
        texts = {
            "description": made.text("description"),
            "metadata": {"note": made.text("metadata"), "card": made.text("metadata")},
        }
        key = {"idempotencyKey": new_key(), "receiverId": receiver.id, "amount": brl("0.01")}
        return {**key, **texts, **changes}

    first = private()
    assert (await gateway.change(TRANSFER, sender, **first)).data("transfer")
    again = {**first, "description": made.text("description")}
    assert_code(await gateway.change(TRANSFER, sender, **again), "IDEMPOTENCY_CONFLICT")
    refused: list[dict[str, Any]] = [
        {"amount": brl("9999999.00")},
        {"receiverId": str(uuid4())},
    ]
    for changes in refused:
        reply = await gateway.change(TRANSFER, sender, **private(**changes))
        assert reply.data("transfer")["status"] == "FAILED"
    wrong: list[dict[str, Any]] = [
        {"amount": brl(made.text("amount"))},
        {"receiverId": made.text("id")},
        {"metadata": {made.text("key") + " ": made.text("metadata")}},
        {"metadata": {"a": {"b": made.text("metadata")}}},
        {"description": made.text("description") + "x" * 200},
        {"description": made.text("description") + "\0"},
        {made.text("field").replace("-", "_"): 1},
    ]
    for changes in wrong:
        reply = await gateway.change(TRANSFER, sender, **private(**changes))
        assert reply.codes, changes


async def _malformed(gateway: Gateway, services: Services, person: Person) -> None:
    """Requests that are cut, too large, at wrong addresses, with private texts wherever one fits."""
    made = gateway.sentinels
    for content in (
        f'{{"query": "{made.text("cut")}',
        made.text("no-json"),
        json.dumps({"query": made.text("syntax") + "("}),
        json.dumps({"query": f"{{ {made.text('field').replace('-', '_')} }}"}),
        json.dumps({"query": "{ me { name } }", "operationName": made.text("operation")}),
        json.dumps({"query": "{ me { name } }", "variables": made.text("variables")}),
        json.dumps({"query": TRANSFER, "variables": {"input": made.text("input")}}),
        json.dumps({"query": "x" * 120_000 + made.text("oversized")}),
    ):
        assert (await gateway.send(content.encode())).codes
    named = made.text("operation").replace("-", "_")
    await gateway.ask(f"query {named} {{ {named}: me {{ name }} }}", token=person.token)
    await gateway.send(b"", path=f"/graphql?query={{{made.text('query')}}}", method="GET")
    await gateway.send(b"", path=f"/{made.text('path')}/{made.email()}", method="GET")
    await gateway.send(b"", path="/graphql", method=made.text("METHOD").upper())
    for headers in (
        {"authorization": f"Basic {made.text('basic')}"},
        {"authorization": f"Bearer {made.text('token')}"},
        {"user-agent": made.text("agent"), "referer": made.picture(), "cookie": made.text("c")},
        {"x-correlation-id": made.email(), "traceparent": made.text("trace")},
        {"x-forwarded-for": made.text("address"), "deadline-ms": made.text("deadline")},
        {"accept": made.text("accept"), "origin": made.picture()},
    ):
        await gateway.send(b'{"query": "{ me { name } }"}', headers=headers)

    for service, path in (
        ("users", "/v1/sessions/register"),
        ("transactions", "/v1/transactions/create"),
        ("notifications", "/v1/notifications/list"),
    ):
        for body in (
            made.text("no-json").encode(),
            {"email": made.email(), made.text("field"): made.text("value")},
            {"userIds": [made.text("id")], "after": made.text("cursor")},
            json.dumps({"name": made.text("large") + "x" * 1_100_000}).encode(),
        ):
            await services.post(service, path, body, caller="gateway", user=person.token)
        await services.post(service, path, {}, user=made.text("token"))
        await services.post(service, path, {}, headers={"authorization": made.text("credential")})


async def _during_an_outage(system: Platform, gateway: Gateway, person: Person) -> None:
    """PostgreSQL dies with requests in flight: errors of drivers are where rows and statements hide."""
    made, codes = gateway.sentinels, set[str]()

    async def go_on() -> None:
        while True:
            new = {"email": made.email(), "password": made.text("password")}
            given = {"amount": brl("0.01"), "description": made.text("description")}
            for reply in await asyncio.gather(
                gateway.ask(REGISTER, {"input": {**new, "name": made.text("name")}}),
                gateway.ask(LOGIN, {"input": new}),
                gateway.change(PROFILE, person, name=made.text("name")),
                gateway.change(TRANSFER, person, **_anybody(), **given),
            ):
                _remember_tokens(made, reply)
                codes.update(reply.codes)

    async def restarted() -> bool:
        return bool((await system.parts())["postgres"]["restarts"] > restarts)

    restarts = (await system.parts())["postgres"]["restarts"]
    async with asyncio.TaskGroup() as tasks:
        going = [tasks.create_task(go_on()) for _ in range(2)]
        await system.kill("postgres")
        await eventually(lambda: "UNAVAILABLE" in codes, 20, why="the outage is noticed")
        await eventually(restarted, 30, why="the server is started again")
        await system.ready()
        for task in going:
            task.cancel()


def _anybody() -> dict[str, Any]:
    return {"idempotencyKey": new_key(), "receiverId": str(uuid4())}


def _remember_tokens(made: Sentinels, reply: Reply) -> None:
    """A registration that went through in spite of all."""
    for session in (reply.json.get("data") or {}).values():
        if isinstance(session, dict) and "accessToken" in session:
            made.remember(session["accessToken"], session["refreshToken"])


async def test_nothing_private_is_visible(
    system: Platform,
    gateway: Gateway,
    services: Services,
    books: Books,
    sentinels: Sentinels,
    collector: Collector,
    bob: Person,
) -> None:
    """After every journey that goes well and every one that goes wrong, all places are clean."""
    person = await gateway.register()
    await gateway.deposit(person, "10.00")
    renamed = {"name": sentinels.text("name"), "address": sentinels.text("address")}
    (await gateway.change(PROFILE, person, **renamed)).data("updateProfile")
    await _failing_accounts(gateway, person)
    await _failing_money(gateway, person, bob)
    await _malformed(gateway, services, person)
    for token in (await forging.bad_tokens(system, books, person.token)).values():
        sentinels.remember(*(part for part in token.split(".") if len(part) > 40))
        await gateway.ask("{ me { name } }", token=token)
    await _during_an_outage(system, gateway, person)
    await books.rest()

    seen = await everything_visible(system, services, sentinels, collector)
    assert {f"logs/{part}.log" for part in (*PARTS, "postgres")} <= set(seen)
    assert all(person.id in seen[f"logs/{part}.log"] for part in ("gateway", "users"))
    assert {span.service for span in collector.spans} == set(PARTS)
    assert sentinels.found_in(seen) == {}


async def test_the_search_finds_what_is_planted(
    system: Platform, sentinels: Sentinels, alice: Person, tmp_path: Path
) -> None:
    """Each kind of secret, in any log file, in any case: without this, finding nothing would say nothing."""
    logs_of = tmp_path / "logs"
    logs_of.mkdir()
    for name, line in {
        "email.log": alice.email,
        "shouted.log": alice.email.upper(),
        "password.log": f'{{"password": "{alice.password}"}}',
        "number.log": sentinels.account_number().partition("-")[0],
        "access.log.2": f"Bearer {alice.token}",
        "refresh.log": alice.refresh,
        "service.log": "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJnYXRld2F5In0.c2ln",
    }.items():
        (logs_of / name).write_text(f'{{"level":"info"}}\nsomething {line} something\n')
    (logs_of / "clean.log").write_text(f'{{"userId": "{alice.id}", "event": "settled"}}\n')

    found = sentinels.found_in(written(tmp_path))
    assert set(found) == {f"logs/{path.name}" for path in logs_of.iterdir()} - {"logs/clean.log"}


@contextmanager
def _logging_to(stream: io.StringIO) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("users", "DEBUG", stream)
    try:
        yield
    finally:
        structlog.reset_defaults()
        root.handlers[:], root.level = handlers, level


def _log_a_registration(person: Person) -> Mapping[str, str]:
    out = io.StringIO()
    with _logging_to(out):
        logs.get("sessions").info("user registered", userId=person.id, email=person.email)
    return {"logs/users.log": out.getvalue()}


async def test_a_log_that_lets_an_address_through_is_found(
    sentinels: Sentinels, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant of the allow-list, with one name too many, fails the search that the real one passes."""
    assert sentinels.found_in(_log_a_registration(alice)) == {}
    monkeypatch.setattr(logs, "FIELDS", logs.FIELDS | {"email"})
    assert set(sentinels.found_in(_log_a_registration(alice))) == {"logs/users.log"}


def assert_code(reply: Reply, code: str) -> None:
    """The journey went wrong in the way that it should."""
    assert reply.codes == [code], reply.body
