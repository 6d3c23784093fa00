"""Notifications over GraphQL."""

from chassis import codes
from services.users.contract import Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

MINE = """query($of: ID, $first: Int = 20, $after: String) {
  notifications(userId: $of, first: $first, after: $after) {
    edges { node { type title body status transactionId transaction { amount { amount } } } }
    pageInfo { hasNextPage endCursor }
  }
}"""


async def test_ones_own_history(gateway: Gateway, platform: Platform) -> None:
    """What the platform told a user, with the transaction that it is about."""
    ana, bia = platform.add_user(), platform.add_user()
    row = platform.add_transfer(ana, bia, amount=2_00)
    platform.add_note(ana)
    platform.add_note(ana, row)
    platform.add_note(bia, row)
    reply = await gateway.query(MINE, user=ana)
    nodes = [edge["node"] for edge in reply.data["notifications"]["edges"]]
    assert [node["transaction"] for node in nodes] == [{"amount": {"amount": "2.00"}}, None]
    assert nodes[0]["transactionId"] == str(row.id)
    assert nodes[0]["status"] == "DELIVERED"


async def test_history_goes_by_pages(gateway: Gateway, platform: Platform) -> None:
    """The cursor leads to the next page."""
    ana = platform.add_user()
    for _ in range(3):
        platform.add_note(ana)
    first = await gateway.query(MINE, {"first": 2}, user=ana)
    info = first.data["notifications"]["pageInfo"]
    assert info["hasNextPage"] is True
    rest = await gateway.query(MINE, {"first": 2, "after": info["endCursor"]}, user=ana)
    assert len(rest.data["notifications"]["edges"]) == 1


async def test_anothers_history_is_forbidden(gateway: Gateway, platform: Platform) -> None:
    """A customer's question for another's history never reaches the service; staff's does."""
    ana, bia = platform.add_user(), platform.add_user()
    platform.lenient = True
    reply = await gateway.query(MINE, {"of": str(bia.id)}, user=ana)
    assert (reply.data, reply.codes) == ({"notifications": None}, ["FORBIDDEN"])
    assert platform.counts()["notifications"] == 0
    support = platform.add_user(role=Role.SUPPORT)
    assert (await gateway.query(MINE, {"of": str(bia.id)}, user=support)).errors == []


async def test_the_service_down_is_null_and_coded(gateway: Gateway, platform: Platform) -> None:
    """Nothing else of the operation suffers."""
    ana = platform.add_user("Ana")
    platform.notifications.failure = codes.UNAVAILABLE.error(service="notifications")
    reply = await gateway.query("{ notifications { edges { cursor } } me { name } }", user=ana)
    assert reply.data == {"notifications": None, "me": {"name": "Ana"}}
    assert reply.errors[0]["extensions"]["service"] == "notifications"
