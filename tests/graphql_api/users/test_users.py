"""Users over GraphQL."""

import pytest

from chassis import codes
from services.users.contract import Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

ME = "{ me { id email name role active account { balance { amount currency } balanceAsOf } } }"


async def test_me_is_the_signed_in_user(gateway: Gateway, platform: Platform) -> None:
    """`me` combines the profile and the account of whoever the token names."""
    ana = platform.add_user("Ana", balance=12_345)
    reply = await gateway.query(ME, user=ana)
    assert reply.data["me"] == {
        "id": str(ana.id),
        "email": ana.email,
        "name": "Ana",
        "role": "CUSTOMER",
        "active": True,
        "account": {
            "balance": {"amount": "123.45", "currency": "BRL"},
            "balanceAsOf": ana.created_at.isoformat(),
        },
    }


async def test_nobody_is_not_me(gateway: Gateway) -> None:
    """Without a token `me` is null with UNAUTHENTICATED, and no service is asked."""
    reply = await gateway.query("{ me { id } }")
    assert (reply.status, reply.data, reply.codes) == (200, {"me": None}, ["UNAUTHENTICATED"])
    assert gateway.platform.counts() == dict.fromkeys(gateway.platform.counts(), 0)


async def test_the_token_goes_on_to_the_service(gateway: Gateway, platform: Platform) -> None:
    """The service that owns the rows gets the user's token, to decide for itself."""
    ana = platform.add_user()
    await gateway.query("{ me { id } }", user=ana)
    (call,) = platform.users.seen
    assert call.user_token == f"customer:{ana.id}"


@pytest.mark.parametrize("lenient", [False, True])
async def test_a_customer_cannot_see_another_user(
    gateway: Gateway, platform: Platform, lenient: bool
) -> None:
    """Another user's id is FORBIDDEN, whether or not the service keeps its own lock."""
    ana, bia = platform.add_user("Ana"), platform.add_user("Bia")
    platform.lenient = lenient
    reply = await gateway.query(
        "query($id: ID!) { user(id: $id) { email } }", {"id": str(bia.id)}, user=ana
    )
    assert (reply.data, reply.codes) == ({"user": None}, ["FORBIDDEN"])
    assert platform.counts()["users"] == 0


async def test_staff_see_any_user(gateway: Gateway, platform: Platform) -> None:
    """Support reads a customer's profile and account."""
    ana = platform.add_user("Ana", balance=5_00)
    support = platform.add_user("Support", role=Role.SUPPORT)
    reply = await gateway.query(
        "query($id: ID!) { user(id: $id) { name account { available { amount } } } }",
        {"id": str(ana.id)},
        user=support,
    )
    assert reply.data["user"] == {"name": "Ana", "account": {"available": {"amount": "5.00"}}}


async def test_an_unknown_user_is_coded(gateway: Gateway, platform: Platform) -> None:
    """An id that nobody has is USER_NOT_FOUND for staff."""
    admin = platform.add_user(role=Role.ADMIN)
    reply = await gateway.query(
        '{ user(id: "00000000-0000-4000-8000-000000000000") { id } }', user=admin
    )
    assert reply.codes == ["USER_NOT_FOUND"]
    assert reply.errors[0]["extensions"]["field"] == "id"


@pytest.mark.parametrize("lenient", [False, True])
async def test_the_list_of_users_is_for_staff(
    gateway: Gateway, platform: Platform, lenient: bool
) -> None:
    """A customer who asks for `users` is refused before the service is asked."""
    ana = platform.add_user()
    platform.lenient = lenient
    reply = await gateway.query("{ users { edges { node { email } } } }", user=ana)
    assert (reply.data, reply.codes) == ({"users": None}, ["FORBIDDEN"])
    assert platform.counts()["users"] == 0


async def test_staff_page_through_all_users(gateway: Gateway, platform: Platform) -> None:
    """Following `endCursor` shows every user once, newest first."""
    admin = platform.add_user("Admin", role=Role.ADMIN)
    everybody = {str(platform.add_user(f"User {i}").id) for i in range(7)} | {str(admin.id)}
    seen: list[str] = []
    after = None
    while True:
        reply = await gateway.query(
            """query($after: String) { users(first: 3, after: $after) {
                 edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor }
               } }""",
            {"after": after},
            user=admin,
        )
        page = reply.data["users"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == 8
    assert set(seen) == everybody


async def test_a_change_touches_only_what_was_given(gateway: Gateway, platform: Platform) -> None:
    """Fields left out stay; null clears what may be cleared."""
    ana = platform.add_user("Ana")
    change = "mutation { updateProfile(input: %s) { name address pictureUrl } }"
    await gateway.query(
        change % '{ address: "Rua A, 1", pictureUrl: "https://a.example/p.png" }', user=ana
    )
    reply = await gateway.query(change % '{ name: "Ana Maria", pictureUrl: null }', user=ana)
    assert reply.data["updateProfile"] == {
        "name": "Ana Maria",
        "address": "Rua A, 1",
        "pictureUrl": None,
    }


async def test_name_and_email_cannot_be_cleared(gateway: Gateway, platform: Platform) -> None:
    """A null where there must be a value is INVALID_INPUT, and nothing is asked of the service."""
    ana = platform.add_user("Ana")
    for field in ("name", "email"):
        document = f"mutation {{ updateProfile(input: {{ {field}: null }}) {{ name }} }}"
        reply = await gateway.query(document, user=ana)
        assert reply.codes == ["INVALID_INPUT"]
        assert reply.errors[0]["extensions"]["field"] == field
        assert reply.data["updateProfile"] is None
    assert platform.counts()["users"] == 0


async def test_banking_details_are_replaced_whole(gateway: Gateway, platform: Platform) -> None:
    """Good details are kept; wrong ones name the field."""
    ana = platform.add_user("Ana")
    change = """mutation($number: String!) { updateBankingDetails(input: {
        agency: "0001", accountNumber: $number, accountType: SAVINGS
      }) { bankingDetails { agency accountNumber accountType } } }"""
    reply = await gateway.query(change, {"number": "123456-7"}, user=ana)
    assert reply.data["updateBankingDetails"]["bankingDetails"] == {
        "agency": "0001",
        "accountNumber": "123456-7",
        "accountType": "SAVINGS",
    }
    reply = await gateway.query(change, {"number": "12"}, user=ana)
    assert reply.codes == ["INVALID_INPUT"]
    assert reply.errors[0]["extensions"]["field"] == "bankingDetails.accountNumber"


@pytest.mark.parametrize(
    ("role", "codes_"),
    [(Role.CUSTOMER, ["FORBIDDEN"]), (Role.SUPPORT, ["FORBIDDEN"]), (Role.ADMIN, [])],
)
async def test_only_admins_deactivate(
    gateway: Gateway, platform: Platform, role: Role, codes_: list[str]
) -> None:
    """The gateway lets administrators through and nobody else, even if the service would."""
    ana, actor = platform.add_user("Ana"), platform.add_user("Actor", role=role)
    platform.lenient = True
    reply = await gateway.query(
        "mutation($id: ID!) { setUserActive(input: { userId: $id, active: false }) { active } }",
        {"id": str(ana.id)},
        user=actor,
    )
    assert reply.codes == codes_
    assert platform.profiles[ana.id].active is bool(codes_)


async def test_a_lost_change_says_what_to_do(gateway: Gateway, platform: Platform) -> None:
    """OUTCOME_UNKNOWN of a change without a key does not speak of keys."""
    ana = platform.add_user()
    platform.users.failure = codes.OUTCOME_UNKNOWN.error(service="users")
    reply = await gateway.query('mutation { updateProfile(input: { name: "A" }) { id } }', user=ana)
    assert reply.codes == ["OUTCOME_UNKNOWN"]
    assert "send it again" in reply.errors[0]["message"]
    assert "key" not in reply.errors[0]["message"]
