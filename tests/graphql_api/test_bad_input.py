"""Everything bad that a GraphQL client can send: a coded error each, and nothing written.

Where a service decides (unknown or inactive accounts, funds), its own tests prove the decision; here it
is proved that the gateway tells it as it is.
"""

from typing import Any

import pytest

from chassis import codes
from services.users.contract import Role
from tests.graphql_api.driving import Gateway, Reply
from tests.graphql_api.fakes import Platform

TRANSFER = "mutation M($input: TransferInput!) { transfer(input: $input) { id status } }"
DEPOSIT = "mutation M($input: CashInput!) { deposit(input: $input) { id status } }"
SOMEBODY = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def transfer(**changes: Any) -> dict[str, Any]:
    given = {
        "idempotencyKey": "transfer-0001",
        "receiverId": SOMEBODY,
        "amount": {"amount": "10.00", "currency": "BRL"},
    }
    return {"input": {**given, **changes}}


def amount(text: Any, currency: Any = "BRL") -> dict[str, Any]:
    return transfer(amount={"amount": text, "currency": currency})


def assert_refused(reply: Reply, code: str, platform: Platform) -> None:
    """One code, no result, nothing asked of the transactions service, so nothing written."""
    assert reply.status < 500
    assert set(reply.codes) == {code}
    assert not (reply.data or {}).get("transfer")
    assert platform.transactions.calls == []
    assert platform.rows == []


async def test_malformed_json(gateway: Gateway, platform: Platform) -> None:
    """BAD_REQUEST; every shape of it is in `web/test_endpoint.py`."""
    assert_refused(await gateway.post(b'{"query": "mutation { transfer('), "BAD_REQUEST", platform)


@pytest.mark.parametrize(
    "document",
    [
        "mutation { transfer(input: {}) { id } }",
        "mutation { transfer { id } }",
        "{ me { password } }",
        "mutation($input: TransferInput!) { transfer(input: $input, force: true) { id } }",
        "mutation { steal(input: {}) { id } }",
    ],
)
async def test_unknown_and_missing_fields_in_the_document(
    gateway: Gateway, platform: Platform, document: str
) -> None:
    """GRAPHQL_VALIDATION_FAILED before anything runs."""
    reply = await gateway.query(document, transfer(), user=platform.add_user())
    assert_refused(reply, "GRAPHQL_VALIDATION_FAILED", platform)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"input": None},
        {"input": []},
        {"input": "text"},
        transfer(unknown=1),
        transfer(idempotencyKey=None),
        transfer(idempotencyKey=12345678),
        transfer(receiverId=None),
        transfer(receiverId={"id": SOMEBODY}),
        transfer(amount=None),
        transfer(amount=10),
        transfer(amount="10.00"),
        transfer(amount={"amount": "10.00"}),
        transfer(description=7),
        transfer(metadata="text"),
        transfer(metadata=[1]),
        amount(10),
        amount(10.5),
        amount(True),
        amount(None),
        amount(["10"]),
        amount("1" * 33),
        amount("10.00", 986),
    ],
    ids=lambda variables: str(variables)[:60],
)
async def test_wrong_types_in_variables(
    gateway: Gateway, platform: Platform, variables: dict[str, Any]
) -> None:
    """Unknown, missing and wrongly typed variables are INVALID_INPUT."""
    reply = await gateway.query(TRANSFER, variables, user=platform.add_user())
    assert_refused(reply, "INVALID_INPUT", platform)


@pytest.mark.parametrize(
    "text",
    ["-10.00", "-0.01", "0", "0.00", "10.001", "0.009", "1e2", "abc", "", "99999999999999999"],
)
async def test_wrong_amounts(gateway: Gateway, platform: Platform, text: str) -> None:
    """Negative, zero, over-precise, over-large and meaningless amounts are INVALID_AMOUNT."""
    reply = await gateway.query(TRANSFER, amount(text), user=platform.add_user())
    assert_refused(reply, "INVALID_AMOUNT", platform)
    assert reply.errors[0]["extensions"]["field"] == "amount.amount"


async def test_another_currency(gateway: Gateway, platform: Platform) -> None:
    """UNSUPPORTED_CURRENCY."""
    reply = await gateway.query(TRANSFER, amount("1.00", "USD"), user=platform.add_user())
    assert_refused(reply, "UNSUPPORTED_CURRENCY", platform)


@pytest.mark.parametrize(
    "changes",
    [
        {"idempotencyKey": "short"},
        {"idempotencyKey": "k" * 65},
        {"idempotencyKey": "with space in it"},
        {"idempotencyKey": "key-000001\n"},
        {"receiverId": "not-an-id"},
        {"receiverId": ""},
        {"receiverId": 42},
        {"description": "x" * 141},
        {"description": "a\0b"},
        {"description": "bell\x07"},
        {"metadata": {"nested": {"a": 1}}},
        {"metadata": {"a": 1.5}},
        {"metadata": {str(number): 1 for number in range(21)}},
    ],
    ids=lambda changes: str(changes)[:50],
)
async def test_wrong_values(gateway: Gateway, platform: Platform, changes: dict[str, Any]) -> None:
    """Keys, ids, descriptions and metadata out of their bounds are INVALID_INPUT."""
    reply = await gateway.query(TRANSFER, transfer(**changes), user=platform.add_user())
    assert_refused(reply, "INVALID_INPUT", platform)


async def test_a_transfer_to_oneself(gateway: Gateway, platform: Platform) -> None:
    """SELF_TRANSFER."""
    ana = platform.add_user()
    reply = await gateway.query(TRANSFER, transfer(receiverId=str(ana.id)), user=ana)
    assert_refused(reply, "SELF_TRANSFER", platform)


@pytest.mark.parametrize("reason", ["INSUFFICIENT_FUNDS", "ACCOUNT_NOT_FOUND", "ACCOUNT_INACTIVE"])
async def test_what_the_ledger_refuses_is_a_failed_transaction(
    gateway: Gateway, platform: Platform, reason: str
) -> None:
    """Unknown and inactive accounts and missing funds are told as FAILED, with the reason's code."""
    ana = platform.add_user()
    row = platform.add_transfer(ana, platform.add_user())
    platform.rows[-1] = type(row)(
        **{
            **{name: getattr(row, name) for name in row.__struct_fields__},
            "status": "FAILED",
            "failure_reason": reason,
        }
    )
    reply = await gateway.query(
        "query($id: ID!) { transaction(id: $id) { status failureReason } }",
        {"id": str(row.id)},
        user=ana,
    )
    assert reply.data["transaction"] == {"status": "FAILED", "failureReason": reason}


@pytest.mark.parametrize(
    "code",
    [
        codes.INSUFFICIENT_FUNDS,
        codes.ACCOUNT_NOT_FOUND,
        codes.ACCOUNT_INACTIVE,
        codes.USER_INACTIVE,
        codes.IDEMPOTENCY_CONFLICT,
        codes.DEPOSIT_DISABLED,
    ],
    ids=lambda code: code.name,
)
async def test_what_the_service_refuses_keeps_its_code(
    gateway: Gateway, platform: Platform, code: codes.Code
) -> None:
    """A refusal of the transactions service reaches the client with its code and whether to retry."""
    platform.transactions.failure = code.error(service="transactions")
    reply = await gateway.query(TRANSFER, transfer(), user=platform.add_user())
    (error,) = reply.errors
    assert reply.data == {"transfer": None}
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == (code.name, False)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "UNAUTHENTICATED"),
        ("Bearer expired", "TOKEN_EXPIRED"),
        ("Bearer forged", "UNAUTHENTICATED"),
        ("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "UNAUTHENTICATED"),
    ],
)
async def test_expired_and_forged_tokens(
    gateway: Gateway, platform: Platform, authorization: str | None, code: str
) -> None:
    """No money moves without a valid token."""
    headers = {"authorization": authorization} if authorization else {}
    assert_refused(await gateway.query(TRANSFER, transfer(), headers=headers), code, platform)


ANOTHERS = {
    "user": "query($id: ID!) { user(id: $id) { email } }",
    "account": "query($id: ID!) { account(userId: $id) { balance { amount } } }",
    "transactions": "query($id: ID!) { transactions(userId: $id) { edges { node { id } } } }",
    "notifications": "query($id: ID!) { notifications(userId: $id) { edges { node { id } } } }",
    "setUserActive": """mutation($id: ID!) {
        setUserActive(input: { userId: $id, active: false }) { id } }""",
    "reverse": """mutation($id: ID!) {
        reverse(input: { idempotencyKey: "reverse-0001", transactionId: $id }) { id } }""",
}


@pytest.mark.parametrize("name", ANOTHERS)
@pytest.mark.parametrize("lenient", [False, True], ids=["both locks", "gateway alone"])
async def test_another_users_ids(
    gateway: Gateway, platform: Platform, name: str, lenient: bool
) -> None:
    """FORBIDDEN, and the service is not even asked: the gateway's lock holds without the service's."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia", balance=1)
    platform.lenient = lenient
    reply = await gateway.query(ANOTHERS[name], {"id": str(bia.id)}, user=ana)
    assert (reply.data, reply.codes) == ({name: None}, ["FORBIDDEN"])
    assert sum(platform.counts().values()) == 0


INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "1); DELETE FROM accounts; --",
    "${jndi:x}",
    "%00",
]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_sql_in_strings(gateway: Gateway, platform: Platform, text: str) -> None:
    """Where a text may be free it is only text; where it has a form it is INVALID_INPUT."""
    ana = platform.add_user("Ana", balance=100_00)
    bia = platform.add_user("Bia")
    admin = platform.add_user(role=Role.ADMIN)
    reply = await gateway.query(
        "mutation M($input: TransferInput!) { transfer(input: $input) { description } }",
        transfer(receiverId=str(bia.id), description=text),
        user=ana,
    )
    assert reply.data["transfer"]["description"] == text
    for document, argument in (
        ("query($x: ID!) { user(id: $x) { id } }", text),
        ("query($x: ID!) { transaction(id: $x) { id } }", text),
        ("query($x: String!) { transactions(after: $x) { edges { cursor } } }", text),
        ("query($x: String!) { transaction(idempotencyKey: $x) { id } }", text),
        ("query($x: ID!) { transactions(counterpartyId: $x) { edges { cursor } } }", text),
    ):
        reply = await gateway.query(document, {"x": argument}, user=admin)
        assert reply.codes == ["INVALID_INPUT"], document
    reply = await gateway.query(
        "query($x: String!) { users(search: $x) { edges { cursor } } }", {"x": text}, user=admin
    )
    assert reply.json == {"data": {"users": {"edges": []}}}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"name": ""}, "name"),
        ({"pictureUrl": "javascript:alert(1)"}, "pictureUrl"),
    ],
)
async def test_wrong_registrations(
    gateway: Gateway, platform: Platform, given: dict[str, str], field: str
) -> None:
    """A wrong field is named; the users service is not asked, so no password is hashed."""
    whole = {"email": "a@example.com", "password": "long enough pw", "name": "A", **given}
    reply = await gateway.query(
        "mutation R($i: RegisterInput!) { register(input: $i) { accessToken } }", {"i": whole}
    )
    assert (reply.data, reply.codes) == ({"register": None}, ["INVALID_INPUT"])
    assert reply.errors[0]["extensions"]["field"] == field
    assert platform.users.calls == []


async def test_an_oversize_body(gateway: Gateway, platform: Platform) -> None:
    """PAYLOAD_TOO_LARGE with status 413."""
    reply = await gateway.query(
        TRANSFER, transfer(description="x" * 100_000), user=platform.add_user()
    )
    assert reply.status == 413
    assert_refused(reply, "PAYLOAD_TOO_LARGE", platform)
