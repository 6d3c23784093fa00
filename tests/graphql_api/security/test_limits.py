"""Rate limits as clients meet them."""

import json
from dataclasses import replace
from typing import Any

from chassis.settings import Environment
from graphql_api.security.limits import same_account
from graphql_api.settings import networks
from services.users.contract import Role
from services.users.emails import key_of as as_one_account
from tests.graphql_api.driving import SETTINGS, Gateway, in_environment
from tests.graphql_api.fakes import Platform

LOGIN = 'mutation L($e: String!) { login(input: { email: $e, password: "wrong password" }) { accessToken } }'


def limited(platform: Platform, **changes: Any) -> Gateway:
    return Gateway(platform, replace(SETTINGS, **changes))


async def test_the_hundred_and_first_request_is_refused(platform: Platform) -> None:
    """The default is 100 a minute; the next is 429 with Retry-After, and touches no service."""
    gateway = Gateway(platform, in_environment(Environment.TEST, requests_per_minute=100))
    ana = platform.add_user()
    replies = [await gateway.query("{ account { id } }", user=ana) for _ in range(101)]
    assert {reply.status for reply in replies[:100]} == {200}
    last = replies[-1]
    assert (last.status, last.codes) == (429, ["RATE_LIMITED"])
    assert platform.counts()["ledger"] == 100
    wait = int(last.headers["retry-after"])
    assert 1 <= wait <= 61
    assert last.errors[0]["extensions"]["retryAfterSeconds"] in {wait, float(wait)}
    assert last.errors[0]["extensions"]["retryable"] is True


async def test_every_answer_says_what_is_left(platform: Platform) -> None:
    """RateLimit and RateLimit-Policy as the IETF draft writes them."""
    gateway = limited(platform, requests_per_minute=3)
    left = [(await gateway.query("{ __typename }")).headers["ratelimit"] for _ in range(4)]
    assert [item.split(";")[:2] for item in left] == [
        ['"requests"', "r=2"],
        ['"requests"', "r=1"],
        ['"requests"', "r=0"],
        ['"requests"', "r=0"],
    ]
    reply = await gateway.query("{ __typename }")
    assert reply.headers["ratelimit-policy"] == '"requests";q=3;w=60'


async def test_users_are_counted_apart_from_their_address(platform: Platform) -> None:
    """Behind one address two users have a limit each; strangers share the address's."""
    gateway = limited(platform, requests_per_minute=1)
    ana, bia = platform.add_user(), platform.add_user()
    for user in (ana, bia, None):
        assert (await gateway.query("{ __typename }", user=user)).status == 200
        assert (await gateway.query("{ __typename }", user=user)).status == 429


async def test_a_forged_header_is_no_other_client(platform: Platform) -> None:
    """Without a trusted proxy `X-Forwarded-For` changes nothing; with one, it tells clients apart."""
    gateway = limited(platform, requests_per_minute=1)
    for number in range(3):
        reply = await gateway.query(
            "{ __typename }", headers={"x-forwarded-for": f"1.2.3.{number}"}
        )
        assert reply.status == (200 if number == 0 else 429)
    trusting = limited(platform, requests_per_minute=1, trusted_proxies=networks("192.0.2.0/24"))
    for number in range(3):
        reply = await trusting.query(
            "{ __typename }", headers={"x-forwarded-for": f"1.2.3.{number}"}
        )
        assert reply.status == 200


async def test_a_dead_token_counts_on_the_address(platform: Platform) -> None:
    """Forged tokens do not buy a fresh limit each."""
    gateway = limited(platform, requests_per_minute=1)
    replies = [
        await gateway.query("{ __typename }", headers={"authorization": f"Bearer forged{number}"})
        for number in range(2)
    ]
    assert [reply.status for reply in replies] == [200, 429]


async def test_an_account_is_tried_only_so_often(platform: Platform) -> None:
    """Tries on one e-mail address are limited from wherever they come, in whatever case it is written."""
    gateway = limited(platform, logins_per_account=3)
    replies = []
    for number in range(5):
        email = "Ana@Example.com" if number % 2 else "ana@example.com"
        reply = await gateway.request(
            "POST",
            "/graphql",
            json.dumps({"query": LOGIN, "variables": {"e": email}}).encode(),
            {"content-type": "application/json"},
            peer=f"198.51.100.{number}",
        )
        replies.append(reply.codes[0])
    assert replies == ["INVALID_CREDENTIALS"] * 3 + ["RATE_LIMITED"] * 2
    assert platform.users.operations.count("login") == 3


def test_every_spelling_of_an_address_is_one_account() -> None:
    """Case and composition of letters give no further tries: the users service sees one account too."""
    spellings = ["José@Ex.com", "jose\u0301@ex.com", "JOSE\u0301@EX.COM", " jos\u00e9@ex.com "]
    assert len({same_account(email) for email in spellings}) == 1
    assert {as_one_account(email.strip()) for email in spellings} == {same_account(spellings[0])}
    assert same_account("jose@ex.com") != same_account(spellings[0])


async def test_an_address_tries_only_so_often(platform: Platform) -> None:
    """Spraying many accounts from one address is limited, and leaves the accounts' own tries alone."""
    gateway = limited(platform, logins_per_address=3, logins_per_account=2)
    codes = [
        (await gateway.query(LOGIN, {"e": f"user{number}@example.com"})).codes[0]
        for number in range(5)
    ]
    assert codes == ["INVALID_CREDENTIALS"] * 3 + ["RATE_LIMITED"] * 2
    reply = await gateway.query(LOGIN, {"e": "user9@example.com"})
    assert reply.errors[0]["extensions"]["retryAfterSeconds"] >= 1
    assert reply.errors[0]["path"] == ["login"]


async def test_registrations_count_on_the_address(platform: Platform) -> None:
    """Nobody makes accounts by the thousand from one address."""
    gateway = limited(platform, logins_per_address=2)
    codes = [
        (
            await gateway.query(
                "mutation R($i: RegisterInput!) { register(input: $i) { accessToken } }",
                {"i": {"email": f"n{n}@example.com", "password": "long enough pw", "name": "N"}},
            )
        ).codes
        for n in range(3)
    ]
    assert codes == [[], [], ["RATE_LIMITED"]]


async def test_staff_have_the_same_limit(platform: Platform) -> None:
    """No role is without bound."""
    gateway = limited(platform, requests_per_minute=1)
    admin = platform.add_user(role=Role.ADMIN)
    await gateway.query("{ __typename }", user=admin)
    assert (await gateway.query("{ __typename }", user=admin)).status == 429


async def test_other_pages_are_not_counted(platform: Platform) -> None:
    """Probes and the schema's text go on when a client's requests are used up."""
    gateway = limited(platform, requests_per_minute=1)
    for _ in range(2):
        await gateway.query("{ __typename }")
    assert (await gateway.get("/schema.graphql")).status == 200
    assert (await gateway.get("/health/live")).status == 200
