"""Everything bad that can be sent: a coded error each, and nothing written, as every table shows.

Through the real gateway, and where a service must hold without it, straight to the service.
"""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.ledger.contract import account_id_of
from tests.kill.platform import Platform
from tests.system import forging
from tests.system.books import Books
from tests.system.clients import (
    DEPOSIT,
    LOGIN,
    REGISTER,
    TRANSFER,
    Gateway,
    Person,
    Reply,
    Services,
    brl,
    new_key,
)
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

INJECTION = "Robert'); DROP TABLE users; --"
CREATE = "/v1/transactions/create"
LOGIN_PATH = "/v1/sessions/login"


def pay(to: str, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": new_key(), "receiverId": to, "amount": brl("1.00")}
    return {"input": {**given, **changes}}


def create(to: str, **changes: Any) -> dict[str, Any]:
    """The same between services."""
    given = {"idempotencyKey": new_key(), "type": "TRANSFER", "amount": 100, "currency": "BRL"}
    return {**given, "receiverId": to, **changes}


def assert_refused(reply: Reply, *codes: str) -> None:
    """Coded with one of `codes`, and told as the client's mistake."""
    assert reply.status < 500, reply.body
    assert reply.codes, reply.body
    assert set(reply.codes) <= set(codes), reply.body


MALFORMED = {
    "cut": b'{"query": "mutation { transfer(',
    "no JSON": b"query={me{id}}",
    "empty": b"",
    "a list": b'[{"query": "{ me { id } }"}]',
    "a number": b"7",
    "no query": b'{"variables": {}}',
    "not UTF-8": b'{"query": "\xff\xfe"}',
    "a deep nest": b"[" * 20_000,
    "a null byte": b'{"query": "\x00"}',
    "duplicate braces": b'{"query": "{ me { id } }"}}',
    "variables as text": b'{"query": "{ me { id } }", "variables": "x"}',
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_json_at_the_gateway(
    gateway: Gateway, books: Books, content: bytes
) -> None:
    """BAD_REQUEST whatever is wrong with it."""
    async with books.unchanged():
        assert_refused(await gateway.send(content), "BAD_REQUEST")


MALFORMED_BETWEEN_SERVICES = {
    "cut": b'{"idempotencyKey": "a-key-of-mi',
    "no JSON": b"idempotencyKey=a-key-of-mine",
    "empty": b"",
    "not UTF-8": b'{"idempotencyKey": "\xff\xfe"}',
    "a comma too many": b'{"idempotencyKey": "a-key-of-mine",}',
}


@pytest.mark.parametrize(
    "content", MALFORMED_BETWEEN_SERVICES.values(), ids=MALFORMED_BETWEEN_SERVICES
)
async def test_malformed_json_at_a_service(
    services: Services, books: Books, alice: Person, content: bytes
) -> None:
    """A service says the same to another service."""
    async with books.unchanged():
        reply = await services.post(
            "transactions", CREATE, content, caller="gateway", user=alice.token
        )
        assert_refused(reply, "BAD_REQUEST")
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_syntax_error(gateway: Gateway, books: Books) -> None:
    """GRAPHQL_PARSE_FAILED, as data that any client can read."""
    async with books.unchanged():
        assert_refused(await gateway.ask("mutation { transfer("), "GRAPHQL_PARSE_FAILED")


async def test_unknown_fields(
    gateway: Gateway, services: Services, books: Books, alice: Person, bob: Person
) -> None:
    """Refused in the document, in its variables, and between services: nothing is ignored silently."""
    async with books.unchanged():
        selected = await gateway.ask("{ me { passwordHash } }", token=alice.token)
        assert_refused(selected, "GRAPHQL_VALIDATION_FAILED")
        force = await gateway.ask(TRANSFER, pay(bob.id, force=True), token=alice.token)
        assert_refused(force, "INVALID_INPUT")
        direct = await services.post(
            "transactions", CREATE, create(bob.id, force=True), caller="gateway", user=alice.token
        )
        assert_refused(direct, "INVALID_INPUT")


WRONG_TYPES: dict[str, dict[str, Any]] = {
    "an amount as a number": {"amount": {"amount": 1.0, "currency": "BRL"}},
    "an amount as text": {"amount": "1.00"},
    "no amount": {"amount": None},
    "a key as a number": {"idempotencyKey": 12_345_678},
    "a key as a list": {"idempotencyKey": ["12345678"]},
    "an id as an object": {"receiverId": {"id": "x"}},
    "an id that is none": {"receiverId": "alice"},
    "a description as a number": {"description": 7},
    "metadata as a list": {"metadata": [1]},
    "metadata that nests": {"metadata": {"a": {"b": 1}}},
    "a fraction in metadata": {"metadata": {"a": 1.5}},
    "too long a description": {"description": "x" * 141},
    "too short a key": {"idempotencyKey": "short"},
    "a key with blanks": {"idempotencyKey": "key with blanks"},
}


@pytest.mark.parametrize("changes", WRONG_TYPES.values(), ids=WRONG_TYPES)
async def test_wrong_types(
    gateway: Gateway, books: Books, alice: Person, bob: Person, changes: dict[str, Any]
) -> None:
    """INVALID_INPUT."""
    async with books.unchanged():
        reply = await gateway.ask(TRANSFER, pay(bob.id, **changes), token=alice.token)
        assert_refused(reply, "INVALID_INPUT")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "100"},
        {"amount": 1.5},
        {"amount": True},
        {"amount": None},
        {"amount": 0},
        {"amount": -100},
        {"amount": 10**15 + 1},
        {"amount": 2**70},
        {"currency": "brl"},
        {"currency": 986},
        {"receiverId": "alice"},
        {"type": "GIFT"},
        {"metadata": {"a" * 41: 1}},
    ],
    ids=str,
)
async def test_wrong_types_at_the_service(
    services: Services, books: Books, alice: Person, bob: Person, changes: dict[str, Any]
) -> None:
    """The service does not rely on the gateway: INVALID_INPUT, or the amount's own code."""
    async with books.unchanged():
        body = create(bob.id, **changes)
        reply = await services.post(
            "transactions", CREATE, body, caller="gateway", user=alice.token
        )
        assert_refused(reply, "INVALID_INPUT", "INVALID_AMOUNT")


@pytest.mark.parametrize(
    "text", ["-1.00", "-0.01", "0", "0.00", "0.001", "1.001", "1e3", "NaN", "Infinity", "1,00", ""]
)
async def test_wrong_amounts(
    gateway: Gateway, books: Books, alice: Person, bob: Person, text: str
) -> None:
    """Negative, zero, over-precise and meaningless amounts are INVALID_AMOUNT, on every rail."""
    async with books.unchanged():
        paid = await gateway.ask(TRANSFER, pay(bob.id, amount=brl(text)), token=alice.token)
        assert_refused(paid, "INVALID_AMOUNT")
        given = {"idempotencyKey": new_key(), "amount": brl(text)}
        assert_refused(await gateway.change(DEPOSIT, alice, **given), "INVALID_AMOUNT")


async def test_another_currency(gateway: Gateway, books: Books, alice: Person, bob: Person) -> None:
    """UNSUPPORTED_CURRENCY."""
    async with books.unchanged():
        dollars = {"amount": "1.00", "currency": "USD"}
        reply = await gateway.ask(TRANSFER, pay(bob.id, amount=dollars), token=alice.token)
        assert_refused(reply, "UNSUPPORTED_CURRENCY")


async def test_a_transfer_to_oneself(
    gateway: Gateway, services: Services, books: Books, alice: Person
) -> None:
    """SELF_TRANSFER, by the gateway and by the service."""
    async with books.unchanged():
        reply = await gateway.ask(TRANSFER, pay(alice.id), token=alice.token)
        assert_refused(reply, "SELF_TRANSFER")
        direct = await services.post(
            "transactions", CREATE, create(alice.id), caller="gateway", user=alice.token
        )
        assert_refused(direct, "SELF_TRANSFER")


REFUSAL_TELLS = (
    "transactions.transactions",
    "transactions.idempotency",
    "transactions.inbox",
    "ledger.ledger_transfers",
    "ledger.inbox",
    "notifications.notifications",
    "notifications.deliveries",
    "notifications.inbox",
    "notifications.recipients",
)
"""Where a transfer that the ledger refused is kept as FAILED, for its sender to see; money is not there."""


async def assert_fails(
    gateway: Gateway, books: Books, sender: Person, to: str, amount: str, reason: str
) -> None:
    """The transfer is FAILED for `reason`; accounts and entries are exactly as they were."""
    async with books.unchanged(but=REFUSAL_TELLS):
        done = await gateway.transfer(sender, to, amount)
        assert (done["status"], done["failureReason"]) == ("FAILED", reason)


async def test_insufficient_funds(
    gateway: Gateway, books: Books, alice: Person, bob: Person
) -> None:
    """INSUFFICIENT_FUNDS; not a centavo moves."""
    await assert_fails(gateway, books, alice, bob.id, "1000000.00", "INSUFFICIENT_FUNDS")


async def test_an_unknown_account(gateway: Gateway, books: Books, alice: Person) -> None:
    """ACCOUNT_NOT_FOUND; not a centavo moves."""
    await assert_fails(gateway, books, alice, str(uuid4()), "1.00", "ACCOUNT_NOT_FOUND")


async def test_an_inactive_account(
    gateway: Gateway, books: Books, alice: Person, admin: Person
) -> None:
    """ACCOUNT_INACTIVE, whichever side is inactive; its owner's last access token does not help."""
    person = await gateway.register()
    await gateway.deposit(person, "5.00")
    mutation = "mutation($input: SetUserActiveInput!) { setUserActive(input: $input) { active } }"
    await gateway.change(mutation, admin, userId=person.id, active=False)
    account, query = account_id_of(UUID(person.id)), "SELECT active FROM accounts WHERE id = $1"

    async def inactive() -> bool:
        return await books.value("ledger", query, account) is False

    await eventually(inactive, 20, why="the ledger knows")
    await assert_fails(gateway, books, alice, person.id, "1.00", "ACCOUNT_INACTIVE")
    await assert_fails(gateway, books, person, alice.id, "1.00", "ACCOUNT_INACTIVE")


async def test_forged_and_expired_tokens_at_the_gateway(
    system: Platform, gateway: Gateway, books: Books, alice: Person, bob: Person
) -> None:
    """No token but a genuine one moves money, however well it is made."""
    bad = await forging.bad_tokens(system, books, alice.token)
    async with books.unchanged():
        for what, token in bad.items():
            gateway.sentinels.remember(*(part for part in token.split(".")[1:] if len(part) > 20))
            reply = await gateway.ask(TRANSFER, pay(bob.id), token=token)
            code = "TOKEN_EXPIRED" if what == "expired" else "UNAUTHENTICATED"
            assert reply.codes == [code], what
            assert reply.json["data"] in (None, {"transfer": None}), what


async def test_forged_and_expired_tokens_at_the_services(
    system: Platform, services: Services, books: Books, alice: Person, bob: Person
) -> None:
    """Each service checks the token itself: a genuine gateway with a forged user gets nowhere."""
    bad = await forging.bad_tokens(system, books, alice.token)
    asked = {
        "transactions": (CREATE, create(bob.id)),
        "users": ("/v1/users/update-profile", {"name": "Mallory"}),
        "ledger": ("/v1/accounts/get", {"ownerIds": [alice.id]}),
        "notifications": ("/v1/notifications/list", {"userIds": [alice.id]}),
    }
    async with books.unchanged():
        for service, (path, body) in asked.items():
            for what, token in bad.items():
                reply = await services.post(service, path, body, caller="gateway", user=token)
                code = "TOKEN_EXPIRED" if what == "expired" else "UNAUTHENTICATED"
                assert reply.codes == [code], (service, what)
                assert reply.status == 401, (service, what)


async def test_no_token_at_all(gateway: Gateway, books: Books, bob: Person) -> None:
    """UNAUTHENTICATED."""
    async with books.unchanged():
        assert_refused(await gateway.ask(TRANSFER, pay(bob.id)), "UNAUTHENTICATED")


OF_OTHERS = {
    "user": "query($id: ID!) { user(id: $id) { email address } }",
    "account": "query($id: ID!) { account(userId: $id) { balance { amount } } }",
    "transactions": "query($id: ID!) { transactions(userId: $id) { edges { node { id } } } }",
    "notifications": "query($id: ID!) { notifications(userId: $id) { edges { node { body } } } }",
}


@pytest.mark.parametrize("field", OF_OTHERS)
async def test_another_users_id(
    gateway: Gateway, books: Books, alice: Person, bob: Person, field: str
) -> None:
    """FORBIDDEN and null, and the same for an id that nobody has: ids cannot be probed."""
    async with books.unchanged():
        replies = [
            await gateway.ask(OF_OTHERS[field], {"id": id_}, token=alice.token)
            for id_ in (bob.id, str(uuid4()))
        ]
    for reply in replies:
        assert_refused(reply, "FORBIDDEN")
        assert reply.json["data"] == {field: None}


async def test_another_users_transaction(
    gateway: Gateway, books: Books, alice: Person, bob: Person
) -> None:
    """What one takes no part in, by id or by somebody else's key, is answered as if it were not there."""
    deposit = await gateway.deposit(bob, "1.00")
    by_id = "query($it: ID!) { transaction(id: $it) { id amount { amount } } }"
    by_key = "query($it: String!) { transaction(idempotencyKey: $it) { id amount { amount } } }"
    async with books.unchanged():
        theirs = await gateway.ask(by_id, {"it": deposit["id"]}, token=alice.token)
        nobodys = await gateway.ask(by_id, {"it": str(uuid4())}, token=alice.token)
        key = await gateway.ask(by_key, {"it": deposit["idempotencyKey"]}, token=alice.token)
    assert theirs.codes == nobodys.codes
    assert theirs.json["data"] == nobodys.json["data"] == {"transaction": None}
    assert key.json["data"] == {"transaction": None}


async def test_another_users_data_at_the_services(
    services: Services, books: Books, alice: Person, bob: Person
) -> None:
    """The service that owns a row refuses it too, should the gateway ever forget to."""
    asked = {
        "users": ("/v1/users/get", {"ids": [bob.id]}, "users"),
        "ledger": ("/v1/accounts/get", {"ownerIds": [bob.id]}, "accounts"),
        "transactions": ("/v1/transactions/list", {"userIds": [bob.id]}, "pages"),
        "notifications": ("/v1/notifications/list", {"userIds": [bob.id]}, "pages"),
    }
    async with books.unchanged():
        for service, (path, body, field) in asked.items():
            reply = await services.post(service, path, body, caller="gateway", user=alice.token)
            assert reply.json == {field: [None]}, service
        admins = {"userId": bob.id, "active": False}
        reply = await services.post(
            "users", "/v1/users/set-active", admins, caller="gateway", user=alice.token
        )
        assert_refused(reply, "FORBIDDEN")


OPERATIONS = {
    "users": ("/v1/users/get", "/v1/sessions/login", "/v1/users/seed"),
    "ledger": ("/v1/postings/post", "/v1/accounts/open"),
    "transactions": (CREATE, "/v1/transactions/reverse"),
    "notifications": ("/v1/notifications/list",),
}


@pytest.mark.parametrize("service", OPERATIONS)
async def test_calls_to_a_service_without_a_credential(
    services: Services, books: Books, alice: Person, service: str
) -> None:
    """Nothing, a user's token, nonsense, another audience's: SERVICE_UNAUTHENTICATED before all else."""
    another = "ledger" if service != "ledger" else "users"
    headers = {
        "nothing": {},
        "a user's token": {"authorization": f"Bearer {alice.token}"},
        "nonsense": {"authorization": "Bearer nonsense"},
        "basic": {"authorization": "Basic Z2F0ZXdheTpnYXRld2F5"},
        "another's": {"authorization": f"Bearer {services.credential('gateway', another)}"},
        "unsigned": {
            "authorization": "Bearer "
            + forging.unsigned({"iss": "gateway", "aud": service, "exp": 2**40, "iat": 0}, "")
        },
    }
    async with books.unchanged():
        for path in OPERATIONS[service]:
            for what, given in headers.items():
                reply = await services.post(service, path, {}, user=alice.token, headers=given)
                assert reply.codes == ["SERVICE_UNAUTHENTICATED"], (path, what)
                assert reply.status == 401


async def test_a_genuine_service_that_may_not(
    services: Services, books: Books, alice: Person
) -> None:
    """SERVICE_FORBIDDEN: the gateway cannot post to the ledger or make staff, nor users move money."""
    wrong = (
        ("gateway", "ledger", "/v1/postings/post"),
        ("gateway", "ledger", "/v1/accounts/open"),
        ("gateway", "users", "/v1/users/seed"),
        ("users", "transactions", CREATE),
        ("ledger", "notifications", "/v1/notifications/list"),
    )
    async with books.unchanged():
        for caller, service, path in wrong:
            reply = await services.post(service, path, {}, caller=caller, user=alice.token)
            assert reply.codes == ["SERVICE_FORBIDDEN"], (caller, service, path)


async def test_oversize_bodies(
    gateway: Gateway, services: Services, books: Books, alice: Person, bob: Person
) -> None:
    """PAYLOAD_TOO_LARGE, whether the length is told beforehand or not."""
    large = json.dumps({"query": TRANSFER, "variables": pay(bob.id, description="x" * 150_000)})
    async with books.unchanged():
        signed = {"authorization": f"Bearer {alice.token}"}
        reply = await gateway.send(large.encode(), headers=signed)
        assert_refused(reply, "PAYLOAD_TOO_LARGE")
        assert reply.status == 413
        for service, paths in OPERATIONS.items():
            caller = "transactions" if service == "ledger" else "gateway"
            body = json.dumps({"x": "y" * 1_100_000}).encode()
            answer = await services.post(service, paths[0], body, caller=caller, user=alice.token)
            assert_refused(answer, "PAYLOAD_TOO_LARGE")


async def _logins_measured(services: Services) -> float:
    """How many logins the users service has answered."""
    lines = (await services.page("users", "/metrics")).splitlines()
    name = "http_server_request_duration_seconds_count{"
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(name) and LOGIN_PATH in line
    )


@pytest.mark.parametrize("count", [2, 30, 1_000])
async def test_aliased_logins(
    gateway: Gateway, services: Services, books: Books, alice: Person, count: int
) -> None:
    """Guessing passwords by the thousand in one operation is refused before the first is looked at."""
    fields = " ".join(f"a{n}: login(input: $given) {{ accessToken }}" for n in range(count))
    given = {"email": alice.email, "password": "a guess of mine"}
    before = await _logins_measured(services)
    async with books.unchanged():
        document = f"mutation($given: LoginInput!) {{ {fields} }}"
        reply = await gateway.ask(document, {"given": given})
    assert_refused(reply, "TOO_MANY_MUTATIONS", "TOO_MANY_ALIASES", "OPERATION_TOO_LARGE")
    assert await _logins_measured(services) == before


SQL_WHERE_A_FORM_IS: dict[str, dict[str, Any]] = {
    "an idempotency key": {"idempotencyKey": INJECTION},
    "a receiver": {"receiverId": "' OR '1'='1"},
    "a currency": {"amount": {"amount": "1.00", "currency": "BRL'; --"}},
    "an amount": {"amount": brl("1.00; DROP TABLE accounts")},
    "a metadata key": {"metadata": {"a'; DROP TABLE accounts; --": 1}},
}


@pytest.mark.parametrize("case", SQL_WHERE_A_FORM_IS)
async def test_sql_where_a_form_is_asked_for(
    gateway: Gateway, books: Books, alice: Person, bob: Person, case: str
) -> None:
    """It does not have the form, so it is refused like any other nonsense."""
    given = pay(bob.id, **SQL_WHERE_A_FORM_IS[case])
    async with books.unchanged():
        reply = await gateway.ask(TRANSFER, given, token=alice.token)
        assert_refused(reply, "INVALID_INPUT", "INVALID_AMOUNT", "UNSUPPORTED_CURRENCY")


@pytest.mark.parametrize(
    "document",
    [
        """{ transactions(after: "x' OR 1=1 --") { edges { node { id } } } }""",
        """{ notifications(after: "x'; DROP TABLE notifications") { edges { node { body } } } }""",
        """{ transactions(counterpartyId: "' OR '1'='1") { edges { node { id } } } }""",
        """{ transactions(since: "now()); DROP TABLE x") { edges { node { id } } } }""",
        """{ transaction(idempotencyKey: "' OR '1'='1") { id } }""",
        """{ user(id: "' OR '1'='1") { email } }""",
    ],
)
async def test_sql_in_the_arguments_of_queries(
    gateway: Gateway, books: Books, alice: Person, document: str
) -> None:
    """Cursors, ids, instants and keys are decoded, never put together into a query."""
    async with books.unchanged():
        reply = await gateway.ask(document, token=alice.token)
        assert_refused(reply, "INVALID_INPUT", "FORBIDDEN", "GRAPHQL_VALIDATION_FAILED")


async def test_sql_in_credentials(gateway: Gateway, books: Books, alice: Person) -> None:
    """No quote signs anybody in."""
    tries = [
        {"email": "'or'1'='1'--@x.example", "password": "x"},
        {"email": alice.email, "password": "' OR '1'='1"},
        {"email": f"{alice.email}'--", "password": "x"},
        {"email": "' OR 1=1 --", "password": "x"},
    ]
    async with books.unchanged():
        for given in tries:
            reply = await gateway.ask(LOGIN, {"input": given})
            assert_refused(reply, "INVALID_CREDENTIALS", "INVALID_INPUT")


async def test_sql_in_a_search(
    gateway: Gateway, books: Books, alice: Person, support: Person
) -> None:
    """It is looked for as it stands: neither quotes nor wildcards find everybody."""
    query = "query($text: String) { users(search: $text) { edges { node { id } } } }"
    async with books.unchanged():
        for text in ("' OR 1=1 --", "%%", "__", "\\\\", "%' UNION SELECT 1 --"):
            reply = await gateway.ask(query, {"text": text}, token=support.token)
            assert reply.data("users")["edges"] == [], text
        known = await gateway.ask(query, {"text": alice.email.upper()}, token=support.token)
    assert [edge["node"]["id"] for edge in known.data("users")["edges"]] == [alice.id]


async def test_sql_in_free_text_is_only_text(gateway: Gateway, books: Books, bob: Person) -> None:
    """A name and a description may hold it: it comes back letter for letter, and nothing else happens."""
    users = await books.value("users", "SELECT count(*) FROM users")
    person = await gateway.register(name=INJECTION, address=INJECTION)
    await gateway.deposit(person, "2.00")
    given = pay(bob.id, description=INJECTION, metadata={"note": INJECTION})["input"]
    paid = (await gateway.change(TRANSFER, person, **given)).data("transfer")

    query = """query($id: ID!) { me { name address }
        transaction(id: $id) { description metadata sender { name } } }"""
    reply = await gateway.ask(query, {"id": paid["id"]}, token=person.token)
    assert reply.data("me") == {"name": INJECTION, "address": INJECTION}
    assert reply.data("transaction")["description"] == INJECTION
    assert reply.data("transaction")["metadata"] == {"note": INJECTION}
    assert await books.value("users", "SELECT count(*) FROM users") == users + 1


BAD_REGISTRATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no address at all": ({"email": "nobody"}, "INVALID_INPUT"),
    "a short password": ({"password": "short"}, "INVALID_INPUT"),
    "an endless password": ({"password": "x" * 129}, "INVALID_INPUT"),
    "no name": ({"name": ""}, "INVALID_INPUT"),
    "a name with a line break": ({"name": "a\nb"}, "INVALID_INPUT"),
    "a name with a null byte": ({"name": "a\0b"}, "INVALID_INPUT"),
    "a picture that runs": ({"pictureUrl": "javascript:alert(1)"}, "INVALID_INPUT"),
    "a role": ({"role": "ADMIN"}, "INVALID_INPUT"),
    "half of a surrogate pair": ({"name": "\ud800"}, "INVALID_INPUT"),
}


@pytest.mark.parametrize("case", BAD_REGISTRATIONS)
async def test_bad_registrations(gateway: Gateway, books: Books, case: str) -> None:
    """Nobody is registered, and the field is named."""
    changes, code = BAD_REGISTRATIONS[case]
    given = {"email": gateway.sentinels.email(), "password": "long enough", "name": "N", **changes}
    async with books.unchanged():
        reply = await gateway.ask(REGISTER, {"input": given})
        assert_refused(reply, code, "BAD_REQUEST")


async def test_a_taken_address(gateway: Gateway, books: Books, alice: Person) -> None:
    """EMAIL_TAKEN, in whatever case it is written."""
    async with books.unchanged():
        for email in (alice.email, alice.email.upper()):
            given = {"email": email, "password": "long enough", "name": "Another"}
            assert_refused(await gateway.ask(REGISTER, {"input": given}), "EMAIL_TAKEN")
