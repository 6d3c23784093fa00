"""Access tokens at the gateway."""

from typing import cast

import pytest

from chassis import codes
from chassis.tokens import AccessTokens
from graphql_api.security.identity import identify
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import FakeTokens, Platform, token_of


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer expired", "TOKEN_EXPIRED"),
        ("Bearer forged", "UNAUTHENTICATED"),
        ("Bearer", "UNAUTHENTICATED"),
        ("Bearer ", "UNAUTHENTICATED"),
        ("Basic dXNlcjpwYXNz", "UNAUTHENTICATED"),
        ("", "UNAUTHENTICATED"),
    ],
)
async def test_a_token_that_does_not_count_says_why(
    gateway: Gateway, header: str, code: str
) -> None:
    """The field that needs a user tells whether to refresh or to sign in."""
    reply = await gateway.query("{ me { id } }", headers={"authorization": header})
    assert (reply.status, reply.data, reply.codes) == (200, {"me": None}, [code])


async def test_no_keys_yet_is_unavailable_not_unauthenticated(
    gateway: Gateway, platform: Platform
) -> None:
    """A gateway that never saw the keys cannot judge a token and says that it is its own trouble."""
    gateway.tokens.failure = codes.UNAVAILABLE.error(service="users", retry_after=5.0)
    reply = await gateway.query("{ me { id } __typename }", user=platform.add_user())
    assert reply.data == {"me": None, "__typename": "Query"}
    assert reply.codes == ["UNAVAILABLE"]
    assert reply.errors[0]["extensions"]["service"] == "users"


async def test_only_a_verified_token_is_handed_on() -> None:
    """A visitor with a rejected token carries none."""
    tokens = cast("AccessTokens", FakeTokens())
    rejected = await identify("Bearer forged", tokens)
    assert (rejected.user, rejected.token) == (None, None)
    profile = Platform().add_user()
    accepted = await identify(f"bEaReR {token_of(profile)}", tokens)
    assert accepted.user is not None
    assert (accepted.user.id, accepted.token) == (profile.id, token_of(profile))
    assert (await identify(None, tokens)).rejected is None
