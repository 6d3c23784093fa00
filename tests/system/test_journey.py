"""What the README promises, done as a newcomer would do it, on a whole platform."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.kill.platform import Platform
from tests.system.books import Books
from tests.system.clients import (
    DEPOSIT,
    LOGOUT,
    REFRESH,
    REVERSE,
    TRANSFER,
    WITHDRAW,
    Gateway,
    Person,
    brl,
    new_key,
)
from tests.system.sentinels import Sentinels
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

README = Path(__file__).parents[2] / "README.md"
ARRIVAL_SECONDS = 20.0
"""Longest wait for an event to become a notification, on a busy machine."""

STATEMENT = """{
  transactions { edges { node {
    id type status amount { amount currency } description
    sender { id name freshness { state } } receiver { id name freshness { state } }
  } } pageInfo { hasNextPage } }
}"""
NOTIFICATIONS = """{ notifications { edges { node {
    title body status deliveredAt transactionId transaction { id status } } } } }"""
ACCOUNT = "{ account { balance { amount currency } available { amount } balanceAsOf active } }"


def nodes(connection: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in connection["edges"]]


async def statement(gateway: Gateway, person: Person) -> list[dict[str, Any]]:
    return nodes((await gateway.ask(STATEMENT, token=person.token)).data("transactions"))


async def balance(gateway: Gateway, person: Person) -> str:
    account = (await gateway.ask(ACCOUNT, token=person.token)).data("account")
    return str(account["balance"]["amount"])


async def told(gateway: Gateway, person: Person, count: int) -> list[dict[str, Any]]:
    """A person's notifications, once there are `count` and all are delivered."""

    async def all_delivered() -> list[dict[str, Any]]:
        found = nodes((await gateway.ask(NOTIFICATIONS, token=person.token)).data("notifications"))
        assert [item["status"] for item in found] == ["DELIVERED"] * count, found
        return found

    return await eventually(all_delivered, ARRIVAL_SECONDS, why="notifications are delivered")


async def test_the_readmes_queries_run_in_order(gateway: Gateway) -> None:
    """Each GraphQL block of the README, pasted as it is, is answered without an error."""
    blocks = re.findall(r"```graphql\n(.*?)```", README.read_text(), re.DOTALL)
    login, overview, deposit, register, transfer, both = blocks
    token = (await gateway.ask(login)).data("login")["accessToken"]
    gateway.sentinels.remember(token)

    me = (await gateway.ask(overview, token=token)).data("me")
    assert me["name"] == "Ana Lima"
    assert nodes(me["transactions"]), "the demonstration has a history"
    assert (await gateway.ask(deposit, token=token)).data("deposit")["status"] == "COMPLETED"
    noa = (await gateway.ask(register)).data("register")
    gateway.sentinels.remember(noa["accessToken"])
    await eventually(
        lambda: has_account(gateway, noa["accessToken"]), ARRIVAL_SECONDS, why="Noa has an account"
    )
    paid = await gateway.ask(transfer.replace("<the id of Noa>", noa["user"]["id"]), token=token)
    assert paid.data("transfer")["status"] == "COMPLETED"
    assert paid.data("transfer")["receiver"]["name"] == "Noa Reis"

    async def told_of_it() -> bool:
        for reader, title in ((token, "Transfer sent"), (noa["accessToken"], "Transfer received")):
            answer = await gateway.ask(both, token=reader)
            newest = nodes(answer.data("transactions"))[0]
            assert (newest["type"], newest["sender"]["name"]) == ("TRANSFER", "Ana Lima")
            assert title in [item["title"] for item in nodes(answer.data("notifications"))]
        return True

    await eventually(told_of_it, ARRIVAL_SECONDS, why="both are told")


async def has_account(gateway: Gateway, token: str) -> bool:
    return bool((await gateway.ask(ACCOUNT, token=token)).data("account"))


async def test_two_newcomers_move_money(gateway: Gateway, books: Books) -> None:
    """Register, deposit, transfer: both statements, both notifications and both balances tell of it."""
    rita, leo = await gateway.register(), await gateway.register()
    await gateway.deposit(rita, "100.00")
    given = {
        "idempotencyKey": new_key(),
        "receiverId": leo.id,
        "amount": brl("25.50"),
        "description": gateway.sentinels.text("description"),
        "metadata": {"order": gateway.sentinels.text("metadata"), "lines": 3, "gift": True},
    }
    paid = (await gateway.change(TRANSFER, rita, **given)).data("transfer")
    assert paid["status"] == "COMPLETED"

    sent, received = await statement(gateway, rita), await statement(gateway, leo)
    assert [item["type"] for item in sent] == ["TRANSFER", "DEPOSIT"]
    assert [item["id"] for item in received] == [paid["id"]]
    assert received[0] == sent[0], "both parties read the same"
    assert sent[0]["amount"] == brl("25.50")
    assert sent[0]["description"] == given["description"]
    assert sent[0]["sender"]["freshness"] == {"state": "FRESH"}
    assert await balance(gateway, rita) == "74.50"
    assert await balance(gateway, leo) == "25.50"
    assert await books.balance(rita.id) == 7_450, "and the ledger says so too"

    for person, title in ((rita, "Transfer sent"), (leo, "Transfer received")):
        notes = await told(gateway, person, 3 if person is rita else 2)
        about = [note for note in notes if note["transactionId"] == paid["id"]]
        assert [note["title"] for note in about] == [title]
        assert "R$" in about[0]["body"] or "25.50" in about[0]["body"]
        assert about[0]["transaction"] == {"id": paid["id"], "status": "COMPLETED"}


async def test_metadata_is_for_who_attached_it(
    gateway: Gateway, alice: Person, bob: Person
) -> None:
    """The initiator finds key and metadata again; the other side sees neither."""
    key, metadata = new_key(), {"note": gateway.sentinels.text("metadata"), "n": 1, "x": None}
    given = {"receiverId": bob.id, "amount": brl("0.01"), "metadata": metadata}
    paid = await gateway.change(TRANSFER, alice, idempotencyKey=key, **given)
    query = "query($id: ID!) { transaction(id: $id) { metadata idempotencyKey } }"
    asked = {"id": paid.data("transfer")["id"]}

    mine = await gateway.ask(query, asked, token=alice.token)
    theirs = await gateway.ask(query, asked, token=bob.token)
    assert mine.data("transaction") == {"metadata": metadata, "idempotencyKey": key}
    assert theirs.data("transaction") == {"metadata": None, "idempotencyKey": None}


async def test_the_same_key_is_the_same_transfer(
    gateway: Gateway, books: Books, alice: Person, bob: Person
) -> None:
    """Sent again it moves nothing and answers the same; with other arguments it is a conflict."""
    key = new_key()
    given = {"idempotencyKey": key, "receiverId": bob.id, "amount": brl("1.00")}
    first = (await gateway.change(TRANSFER, alice, **given)).data("transfer")

    async with books.unchanged():
        again = (await gateway.change(TRANSFER, alice, **given)).data("transfer")
        other = await gateway.change(TRANSFER, alice, **{**given, "amount": brl("1.01")})
        found = await gateway.ask(
            "query($key: String!) { transaction(idempotencyKey: $key) { id } }",
            {"key": key},
            token=alice.token,
        )
    assert again == first
    assert other.codes == ["IDEMPOTENCY_CONFLICT"]
    assert found.data("transaction") == {"id": first["id"]}


async def test_money_leaves_as_it_came(gateway: Gateway) -> None:
    """A withdrawal takes from the balance, and has no receiver."""
    person = await gateway.register()
    await gateway.deposit(person, "10.00")
    given = {"idempotencyKey": new_key(), "amount": brl("4.00")}
    done = (await gateway.change(WITHDRAW, person, **given)).data("withdraw")

    assert done["status"] == "COMPLETED"
    assert await balance(gateway, person) == "6.00"
    assert (await statement(gateway, person))[0]["receiver"] is None


async def test_a_session_from_login_to_logout(gateway: Gateway) -> None:
    """Login, refresh, a lost answer, logout: the session goes on until it is ended, then it is over."""
    known = await gateway.register()
    person = await gateway.login(known.email.upper(), known.password)
    assert person.id == known.id

    async def refresh(token: str) -> Any:
        return await gateway.ask(REFRESH, {"input": {"refreshToken": token}})

    first = gateway.person((await refresh(person.refresh)).data("refreshToken"), "", "")
    repeated = gateway.person((await refresh(person.refresh)).data("refreshToken"), "", "")
    assert first.id == repeated.id == person.id, "the answer may have been lost"
    assert await balance(gateway, repeated) == "0.00"

    ended = await gateway.ask(LOGOUT, {"input": {"refreshToken": repeated.refresh}})
    assert ended.data("logout") is True
    assert (await refresh(repeated.refresh)).codes == ["REFRESH_TOKEN_INVALID"]


async def test_a_stolen_refresh_token_ends_the_session(gateway: Gateway) -> None:
    """A token used after its successor was used ends the family: thief and owner sign in anew."""
    person = await gateway.register()

    async def refresh(token: str) -> Any:
        return await gateway.ask(REFRESH, {"input": {"refreshToken": token}})

    second = gateway.person((await refresh(person.refresh)).data("refreshToken"), "", "")
    third = gateway.person((await refresh(second.refresh)).data("refreshToken"), "", "")
    assert (await refresh(person.refresh)).codes == ["REFRESH_TOKEN_REUSED"]
    assert (await refresh(third.refresh)).codes == ["REFRESH_TOKEN_INVALID"]


async def test_profile_and_banking_details(gateway: Gateway, sentinels: Sentinels) -> None:
    """What one changes is what one reads next, and one is told of new banking details."""
    person = await gateway.register()
    name, number = sentinels.text("name"), sentinels.account_number()
    await gateway.change(
        "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { id } }",
        person,
        name=name,
        address=None,
    )
    details = {"agency": "0001", "accountNumber": number, "accountType": "SAVINGS"}
    await gateway.change(
        "mutation($input: UpdateBankingDetailsInput!)"
        " { updateBankingDetails(input: $input) { id } }",
        person,
        **details,
    )
    query = "{ me { name address bankingDetails { agency accountNumber accountType } } }"
    me = (await gateway.ask(query, token=person.token)).data("me")
    assert me == {"name": name, "address": None, "bankingDetails": details}
    titles = [note["title"] for note in await told(gateway, person, 2)]
    assert "Your banking details were changed" in titles


async def test_staff_reverse_a_transfer_once(
    gateway: Gateway, books: Books, support: Person, alice: Person
) -> None:
    """The money goes back, both transactions say so, and there is no second time."""
    payer, payee = await gateway.register(), await gateway.register()
    await gateway.deposit(payer, "30.00")
    paid = await gateway.transfer(payer, payee.id, "30.00")
    given = {"transactionId": paid["id"], "idempotencyKey": new_key()}

    assert (await gateway.change(REVERSE, payer, **given)).codes == ["FORBIDDEN"]
    taken_back = (await gateway.change(REVERSE, support, **given)).data("reverse")
    assert taken_back["status"] == "COMPLETED"
    assert await balance(gateway, payer) == "30.00"
    assert await balance(gateway, payee) == "0.00"
    both = await statement(gateway, payee)
    assert [(item["type"], item["status"]) for item in both] == [
        ("REVERSAL", "COMPLETED"),
        ("TRANSFER", "REVERSED"),
    ]
    async with books.unchanged():
        again = await gateway.change(REVERSE, support, **{**given, "idempotencyKey": new_key()})
    assert again.codes == ["NOT_REVERSIBLE"]


STAFF_QUERIES = {
    "users": "{ users(first: 1) { edges { node { id } } } }",
    "user": "query($id: ID!) { user(id: $id) { id email } }",
    "account": "query($id: ID!) { account(userId: $id) { id } }",
    "transactions": "query($id: ID!) { transactions(userId: $id) { edges { node { id } } } }",
    "notifications": "query($id: ID!) { notifications(userId: $id) { edges { node { title } } } }",
}


async def test_what_only_staff_see(
    gateway: Gateway, alice: Person, bob: Person, support: Person
) -> None:
    """Every field about other people answers staff, and a customer with FORBIDDEN and null."""
    for field, query in STAFF_QUERIES.items():
        asked = {"id": bob.id} if "$id" in query else {}
        refused = await gateway.ask(query, asked, token=alice.token)
        assert refused.codes == ["FORBIDDEN"], field
        assert refused.json["data"] == {field: None}
        seen = await gateway.ask(query, asked, token=support.token)
        assert seen.data(field), field


async def test_an_admin_deactivates_a_user(
    gateway: Gateway, alice: Person, support: Person, admin: Person
) -> None:
    """Only an admin may; it ends the session and stops the account, and can be taken back."""
    person = await gateway.register()
    mutation = "mutation($input: SetUserActiveInput!) { setUserActive(input: $input) { active } }"
    for nobody in (alice, support):
        reply = await gateway.change(mutation, nobody, userId=person.id, active=False)
        assert reply.codes == ["FORBIDDEN"]
    done = await gateway.change(mutation, admin, userId=person.id, active=False)
    assert done.data("setUserActive") == {"active": False}

    refused = await gateway.ask(REFRESH, {"input": {"refreshToken": person.refresh}})
    assert set(refused.codes) <= {"REFRESH_TOKEN_INVALID", "USER_INACTIVE"}
    assert refused.codes

    async def stopped() -> bool:
        query = "query($id: ID!) { account(userId: $id) { active } }"
        reply = await gateway.ask(query, {"id": person.id}, token=admin.token)
        return bool(reply.data("account") == {"active": False})

    await eventually(stopped, ARRIVAL_SECONDS, why="the ledger knows")
    back = await gateway.change(mutation, admin, userId=person.id, active=True)
    assert back.data("setUserActive") == {"active": True}
    assert (await gateway.login(person.email, person.password)).id == person.id


async def test_one_correlation_id_tells_the_whole_story(
    system: Platform, gateway: Gateway, alice: Person, bob: Person
) -> None:
    """The client's id comes back, and is in the logs of every process that took part."""
    story = f"story-{new_key()}"
    reply = await gateway.ask(
        TRANSFER,
        {"input": {"idempotencyKey": new_key(), "receiverId": bob.id, "amount": brl("0.02")}},
        token=alice.token,
        headers={"x-correlation-id": story},
    )
    assert reply.data("transfer")["status"] == "COMPLETED"
    assert reply.headers["x-correlation-id"] == story

    def everybody() -> bool:
        logs = {path.stem: path.read_text() for path in (system.state / "logs").glob("*.log")}
        asked = ("gateway", "transactions", "ledger", "notifications")
        missing = [part for part in asked if story not in logs[part]]
        assert not missing, f"nothing in the logs of {missing}"
        return True

    await eventually(everybody, ARRIVAL_SECONDS)


async def test_the_platform_says_that_it_is_well(gateway: Gateway) -> None:
    """`/health` of the gateway names every service, with what it depends on."""
    reply = await gateway.send(b"", path="/health", method="GET")
    assert reply.status == 200, reply.body
    assert reply.json["status"] == "up"
    services = reply.json["services"]
    assert set(services) == {"users", "ledger", "transactions", "notifications"}
    assert all(entry["replicas"][0]["dependencies"] for entry in services.values())


async def test_deposits_are_capped(gateway: Gateway, books: Books, alice: Person) -> None:
    """The demonstration rail refuses what is above its cap, and nothing is written."""
    async with books.unchanged():
        given = {"idempotencyKey": new_key(), "amount": brl("1000000000.00")}
        assert (await gateway.change(DEPOSIT, alice, **given)).codes == ["DEPOSIT_LIMIT"]
