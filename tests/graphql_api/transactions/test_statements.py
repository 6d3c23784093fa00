"""Statements and single transactions over GraphQL."""

from datetime import timedelta
from typing import Any

import pytest

from chassis import codes
from services.users.contract import Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import EPOCH, Platform

STATEMENT = """query S($first: Int, $after: String, $status: TransactionStatus, $type: TransactionType,
    $since: DateTime, $until: DateTime, $counterpartyId: ID, $userId: ID) {
  transactions(first: $first, after: $after, status: $status, type: $type, since: $since,
      until: $until, counterpartyId: $counterpartyId, userId: $userId) {
    edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
BY_ID = "query($id: ID!) { transaction(id: $id) { id metadata sender { name } } }"
BY_KEY = "query($key: String!) { transaction(idempotencyKey: $key) { id } }"
NAMES = """{ transactions { edges { node {
    sender { id name freshness { state ageSeconds } } receiver { name freshness { state } }
} } } }"""


def ids(reply: Any) -> list[str]:
    return [edge["node"]["id"] for edge in reply.data["transactions"]["edges"]]


async def test_pages_cover_the_statement(gateway: Gateway, platform: Platform) -> None:
    """Following the cursors, also that of any edge, shows every transaction once, newest first."""
    ana, bia = platform.add_user(), platform.add_user()
    rows = [str(platform.add_transfer(ana, bia).id) for _ in range(5)][::-1]
    first = await gateway.query(STATEMENT, {"first": 2}, user=ana)
    assert ids(first) == rows[:2]
    page = first.data["transactions"]
    assert page["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": page["edges"][0]["cursor"],
        "endCursor": page["edges"][1]["cursor"],
    }
    second = await gateway.query(
        STATEMENT, {"first": 10, "after": page["pageInfo"]["endCursor"]}, user=ana
    )
    assert ids(second) == rows[2:]
    assert second.data["transactions"]["pageInfo"]["hasNextPage"] is False
    overlapping = await gateway.query(
        STATEMENT, {"first": 10, "after": page["edges"][0]["cursor"]}, user=ana
    )
    assert ids(overlapping) == rows[1:]


async def test_an_empty_statement_has_no_cursors(gateway: Gateway, platform: Platform) -> None:
    """No transactions are an empty page, not a null."""
    reply = await gateway.query(STATEMENT, user=platform.add_user())
    assert reply.data["transactions"] == {
        "edges": [],
        "pageInfo": {
            "hasNextPage": False,
            "hasPreviousPage": False,
            "startCursor": None,
            "endCursor": None,
        },
    }


async def test_filters_reach_the_service(gateway: Gateway, platform: Platform) -> None:
    """Status, type, period and counterparty arrive as the contract has them."""
    ana, bia = platform.add_user(), platform.add_user()
    since, until = EPOCH, EPOCH + timedelta(days=1)
    asked = {
        "first": 7,
        "status": "FAILED",
        "type": "TRANSFER",
        "since": since.isoformat(),
        "until": "2026-01-02T09:00:00-03:00",
        "counterpartyId": str(bia.id),
    }
    reply = await gateway.query(STATEMENT, asked, user=ana)
    assert reply.errors == []
    request = platform.transactions.calls[0][1]
    assert request.user_ids == [ana.id]
    assert (request.first, request.status, request.type) == (7, "FAILED", "TRANSFER")
    assert (request.since, request.until, request.counterparty_id) == (since, until, bia.id)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"first": 0}, "first"),
        ({"first": 101}, "first"),
        ({"first": -1}, "first"),
        ({"first": 5, "after": "x" * 201}, "after"),
        ({"first": 5, "after": "forged"}, "after"),
        ({"first": 5, "counterpartyId": "not-an-id"}, "counterpartyId"),
        ({"first": 5, "userId": "not-an-id"}, "userId"),
    ],
)
async def test_wrong_arguments_are_named(
    gateway: Gateway, platform: Platform, asked: dict[str, Any], field: str
) -> None:
    """Page sizes out of bounds, forged cursors and malformed ids are INVALID_INPUT with the field."""
    reply = await gateway.query(STATEMENT, asked, user=platform.add_user())
    assert reply.codes == ["INVALID_INPUT"]
    assert reply.errors[0]["extensions"]["field"] == field


async def test_anothers_statement_is_forbidden(gateway: Gateway, platform: Platform) -> None:
    """A customer's question for another's statement never reaches the service."""
    ana, bia = platform.add_user(), platform.add_user()
    platform.lenient = True
    reply = await gateway.query(STATEMENT, {"first": 5, "userId": str(bia.id)}, user=ana)
    assert (reply.data, reply.codes) == ({"transactions": None}, ["FORBIDDEN"])
    assert platform.counts()["transactions"] == 0


async def test_staff_read_any_statement(gateway: Gateway, platform: Platform) -> None:
    """Support reads by user id."""
    ana, bia = platform.add_user(), platform.add_user()
    row = platform.add_transfer(ana, bia)
    support = platform.add_user(role=Role.SUPPORT)
    reply = await gateway.query(STATEMENT, {"first": 5, "userId": str(bia.id)}, user=support)
    assert ids(reply) == [str(row.id)]


async def test_a_party_sees_a_transaction(gateway: Gateway, platform: Platform) -> None:
    """By id, for both sides."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    row = platform.add_transfer(ana, bia)
    for party in (ana, bia):
        reply = await gateway.query(BY_ID, {"id": str(row.id)}, user=party)
        assert reply.data["transaction"]["sender"] == {"name": "Ana"}


@pytest.mark.parametrize("lenient", [False, True])
async def test_strangers_cannot_tell_it_from_a_missing_one(
    gateway: Gateway, platform: Platform, lenient: bool
) -> None:
    """A foreign id and an invented one are both TRANSACTION_NOT_FOUND."""
    ana, bia, eva = (platform.add_user(name) for name in ("Ana", "Bia", "Eva"))
    row = platform.add_transfer(ana, bia)
    platform.lenient = lenient
    for id_ in (str(row.id), "00000000-0000-4000-8000-000000000000"):
        reply = await gateway.query(BY_ID, {"id": id_}, user=eva)
        assert (reply.data, reply.codes) == ({"transaction": None}, ["TRANSACTION_NOT_FOUND"])


async def test_a_key_that_was_not_seen_yet_is_no_error(
    gateway: Gateway, platform: Platform
) -> None:
    """By key, null without an error means "not seen yet"; afterwards it is the transaction."""
    ana = platform.add_user()
    assert (await gateway.query(BY_KEY, {"key": "cash-000001"}, user=ana)).json == {
        "data": {"transaction": None}
    }
    await gateway.query(
        """mutation { deposit(input: { idempotencyKey: "cash-000001",
             amount: { amount: "1.00", currency: "BRL" } }) { id } }""",
        user=ana,
    )
    reply = await gateway.query(BY_KEY, {"key": "cash-000001"}, user=ana)
    assert reply.data["transaction"]["id"] == str(platform.rows[-1].id)


@pytest.mark.parametrize(
    "arguments",
    ["", "(id: null)", '(id: "x", idempotencyKey: "cash-000001")', '(idempotencyKey: "x")'],
)
async def test_a_transaction_is_named_exactly_once(
    gateway: Gateway, platform: Platform, arguments: str
) -> None:
    """Neither, both, or a malformed key: INVALID_INPUT."""
    reply = await gateway.query(f"{{ transaction{arguments} {{ id }} }}", user=platform.add_user())
    assert reply.codes == ["INVALID_INPUT"]


async def test_names_are_fresh_from_the_users_service(gateway: Gateway, platform: Platform) -> None:
    """A name is the present one, and says so."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    platform.add_transfer(ana, bia)
    reply = await gateway.query(NAMES, user=ana)
    assert reply.data["transactions"]["edges"][0]["node"]["sender"] == {
        "id": str(ana.id),
        "name": "Ana",
        "freshness": {"state": "FRESH", "ageSeconds": None},
    }
    assert "extensions" not in reply.json


async def test_without_the_users_service_names_are_old_and_marked(
    gateway: Gateway, platform: Platform
) -> None:
    """The statement is answered with the names that the transactions service knows, STALE in the data and
    listed in `extensions.degraded`."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    platform.add_transfer(ana, bia)
    platform.users.failure = codes.UNAVAILABLE.error(service="users")
    reply = await gateway.query(NAMES, user=ana)
    assert reply.errors == []
    node = reply.data["transactions"]["edges"][0]["node"]
    assert node["receiver"] == {"name": "Bia (known)", "freshness": {"state": "STALE"}}
    assert reply.json["extensions"]["degraded"][0] == {
        "path": ["transactions", "edges", 0, "node", "sender", "name"],
        "service": "users",
        "reason": "UNAVAILABLE",
        "servedFrom": "transactions",
        "ageSeconds": None,
    }
    assert platform.counts()["users"] == 1


async def test_a_name_that_nobody_knows_is_null_with_the_reason(
    gateway: Gateway, platform: Platform
) -> None:
    """With no copy there is no guess: null, and the users service's coded error."""
    ana = platform.add_user("Ana", balance=10_00)
    bia = platform.add_user("Bia")
    platform.users.failure = codes.UNAVAILABLE.error(service="users")
    reply = await gateway.query(
        """mutation($to: ID!) { transfer(input: { idempotencyKey: "transfer-0001", receiverId: $to,
             amount: { amount: "1.00", currency: "BRL" } }) {
               status receiver { name freshness { state } } } }""",
        {"to": str(bia.id)},
        user=ana,
    )
    assert reply.data["transfer"] == {
        "status": "COMPLETED",
        "receiver": {"name": None, "freshness": None},
    }
    assert reply.codes == ["UNAVAILABLE"]
    assert reply.errors[0]["path"] == ["transfer", "receiver", "name"]
