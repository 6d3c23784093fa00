"""Accounts over GraphQL."""

from chassis import codes
from services.users.contract import Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

ACCOUNT = "query($of: ID) { account(userId: $of) { balance { amount } available { amount } } }"


async def test_ones_own_account(gateway: Gateway, platform: Platform) -> None:
    """Without an id it is the signed-in user's account, without asking the users service."""
    ana = platform.add_user(balance=7)
    reply = await gateway.query(ACCOUNT, user=ana)
    assert reply.data["account"] == {"balance": {"amount": "0.07"}, "available": {"amount": "0.07"}}
    assert platform.counts()["users"] == 0


async def test_anothers_account_is_forbidden(gateway: Gateway, platform: Platform) -> None:
    """A customer's question for another's balance never reaches the ledger."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    platform.lenient = True
    reply = await gateway.query(ACCOUNT, {"of": str(bia.id)}, user=ana)
    assert (reply.data, reply.codes) == ({"account": None}, ["FORBIDDEN"])
    assert platform.counts()["ledger"] == 0


async def test_staff_see_any_account(gateway: Gateway, platform: Platform) -> None:
    """Support asks by user id."""
    ana = platform.add_user(balance=1)
    support = platform.add_user(role=Role.SUPPORT)
    reply = await gateway.query(ACCOUNT, {"of": str(ana.id)}, user=support)
    assert reply.data["account"]["balance"]["amount"] == "0.01"


async def test_an_account_that_is_not_open_yet_is_null_without_error(
    gateway: Gateway, platform: Platform
) -> None:
    """Right after registration there may be none: that is no failure."""
    ana = platform.add_user()
    del platform.accounts[ana.id]
    reply = await gateway.query(ACCOUNT, user=ana)
    assert reply.json == {"data": {"account": None}}


async def test_the_ledger_down_costs_balances_only(gateway: Gateway, platform: Platform) -> None:
    """The profile is answered; the account is null with the ledger's coded error."""
    ana = platform.add_user("Ana")
    platform.ledger.failure = codes.UNAVAILABLE.error(service="ledger", retry_after=2.0)
    reply = await gateway.query("{ me { name account { balance { amount } } } }", user=ana)
    assert reply.data == {"me": {"name": "Ana", "account": None}}
    (error,) = reply.errors
    assert error["path"] == ["me", "account"]
    assert error["extensions"] == {
        "code": "UNAVAILABLE",
        "service": "ledger",
        "retryable": True,
        "retryAfterSeconds": 2.0,
        "correlationId": reply.headers["x-correlation-id"],
    }
