"""Sessions over GraphQL."""

import pytest

from chassis import codes
from tests.graphql_api.conftest import LogLines
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

SESSION = "{ accessToken accessExpiresIn refreshToken refreshExpiresIn user { id name } }"
REGISTER = f"mutation R($input: RegisterInput!) {{ register(input: $input) {SESSION} }}"
LOGIN = f"mutation L($input: LoginInput!) {{ login(input: $input) {SESSION} }}"
REFRESH = f"mutation F($input: RefreshTokenInput!) {{ refreshToken(input: $input) {SESSION} }}"
LOGOUT = "mutation O($input: LogoutInput!) { logout(input: $input) }"

ANA = {"email": "ana@example.com", "password": "correct horse battery", "name": "Ana"}


async def test_registering_signs_in(gateway: Gateway) -> None:
    """A new customer gets a session at once, and its token works."""
    reply = await gateway.query(REGISTER, {"input": ANA})
    session = reply.data["register"]
    assert session["user"]["name"] == "Ana"
    assert (session["accessExpiresIn"], session["refreshExpiresIn"]) == (900, 604_800)
    me = await gateway.query(
        "{ me { id } }", headers={"authorization": f"Bearer {session['accessToken']}"}
    )
    assert me.data["me"]["id"] == session["user"]["id"]


async def test_signing_in_renewing_and_out(gateway: Gateway) -> None:
    """login, refreshToken and logout in the order in which a client uses them."""
    await gateway.query(REGISTER, {"input": ANA})
    credentials = {"email": ANA["email"], "password": ANA["password"]}
    session = (await gateway.query(LOGIN, {"input": credentials})).data["login"]
    renewed = await gateway.query(REFRESH, {"input": {"refreshToken": session["refreshToken"]}})
    assert renewed.data["refreshToken"]["user"] == session["user"]
    out = await gateway.query(LOGOUT, {"input": {"refreshToken": session["refreshToken"]}})
    assert out.json == {"data": {"logout": True}}


@pytest.mark.parametrize("authorization", ["Bearer expired", "Bearer forged", "Basic YTpi", "x"])
async def test_a_dead_token_does_not_stop_signing_in(gateway: Gateway, authorization: str) -> None:
    """Clients that always attach their token can sign in when it has expired."""
    await gateway.query(REGISTER, {"input": ANA})
    credentials = {"email": ANA["email"], "password": ANA["password"]}
    reply = await gateway.query(
        LOGIN, {"input": credentials}, headers={"authorization": authorization}
    )
    assert reply.errors == []
    assert reply.data["login"]["user"]["name"] == "Ana"


async def test_wrong_credentials_are_coded(gateway: Gateway, platform: Platform) -> None:
    """A wrong password and an unknown address get the same answer."""
    await gateway.query(REGISTER, {"input": ANA})
    answers = []
    for email in (ANA["email"], "nobody@example.com"):
        reply = await gateway.query(LOGIN, {"input": {"email": email, "password": "wrong"}})
        (error,) = reply.errors
        error["extensions"].pop("correlationId")
        answers.append((reply.status, reply.data, error))
    assert answers[0] == answers[1]
    assert answers[0][2]["extensions"]["code"] == "INVALID_CREDENTIALS"


async def test_an_unknown_refresh_token_is_coded(gateway: Gateway) -> None:
    """It says to sign in again."""
    reply = await gateway.query(REFRESH, {"input": {"refreshToken": "invented"}})
    assert reply.codes == ["REFRESH_TOKEN_INVALID"]


@pytest.mark.parametrize(
    ("document", "asked", "advice"),
    [
        (REGISTER, ANA, "try to sign in"),
        (LOGIN, {"email": "a@b.cd", "password": "whatever it is"}, "sign in again"),
        (REFRESH, {"refreshToken": "r"}, "within 30 seconds"),
        (LOGOUT, {"refreshToken": "r"}, "sign out again"),
    ],
)
async def test_a_lost_answer_has_its_own_advice(
    gateway: Gateway, platform: Platform, document: str, asked: dict[str, str], advice: str
) -> None:
    """Credential mutations have no idempotency key, so each says what to do instead."""
    platform.users.failure = codes.OUTCOME_UNKNOWN.error(service="users")
    reply = await gateway.query(document, {"input": asked})
    assert reply.codes == ["OUTCOME_UNKNOWN"]
    assert advice in reply.errors[0]["message"]


async def test_passwords_and_tokens_are_not_logged(gateway: Gateway, log_lines: LogLines) -> None:
    """No line of a whole session carries the password, the e-mail address, the name or a token."""
    session = (await gateway.query(REGISTER, {"input": ANA})).data["register"]
    await gateway.query(LOGIN, {"input": {"email": ANA["email"], "password": "wrong-password"}})
    await gateway.query(
        "{ me { id } }", headers={"authorization": f"Bearer {session['accessToken']}"}
    )
    written = str(log_lines())
    assert "request" in written
    for secret in (
        *ANA.values(),
        "wrong-password",
        session["accessToken"],
        session["refreshToken"],
    ):
        assert secret not in written
