"""Whom a target means, told by what a request says of itself."""

from typing import Any

import jwt
import pytest

from chassis.faults.contract import Target, in_cohort
from chassis.faults.targets import Asked, fits, is_spared
from chassis.tokens import ISSUER

KEY = "any key: nobody verifies here, and that is the point"


def token(**claims: str) -> bytes:
    return b"Bearer " + jwt.encode(claims, KEY, algorithm="HS256").encode()


def asked(path: str = "/v1/say", **headers: bytes) -> Asked:
    raw = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Asked.of({"type": "http", "path": path, "headers": raw})


@pytest.mark.parametrize(
    ("route", "path", "fitting"),
    [
        ("/v1/say", "/v1/say", True),
        ("/v1/say", "/v1/say/more", False),
        ("/v1/*", "/v1/say", True),
        ("/v1/*", "/v2/say", False),
        ("/v1/sa*", "/v1/say", True),
        ("*", "/anything", True),
    ],
)
def test_routes(route: str, path: str, fitting: bool) -> None:
    """Exactly the path, or whatever begins like it where a star says so."""
    assert fits(Target(route=route), asked(path)) == fitting


def test_every_condition_must_hold() -> None:
    """Headers have just these values; one that differs or is missing spares the request."""
    target = Target(route="/v1/*", headers={"x-kind": "a", "x-more": "b"})

    assert fits(target, asked(x_kind=b"a", x_more=b"b", other=b"c"))
    assert not fits(target, asked(x_kind=b"a"))
    assert not fits(target, asked(x_kind=b"a", x_more=b"B"))
    assert not fits(target, asked("/v2", x_kind=b"a", x_more=b"b"))
    assert fits(Target(), asked())


def test_caller_and_user_are_read_from_their_tokens() -> None:
    """Between services both are there; at the gateway the user alone, in the other header."""
    both = asked(
        authorization=token(iss="gateway"), user_authorization=token(iss=ISSUER, sub="user-1")
    )
    alone = asked(authorization=token(iss=ISSUER, sub="user-1"))

    assert (both.caller, both.user) == ("gateway", "user-1")
    assert (alone.caller, alone.user) == ("", "user-1")
    assert fits(Target(caller="gateway"), both)
    assert not fits(Target(caller="gateway"), alone)


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"Bearer", b"Basic abc", b"Bearer a.b", b"Bearer a.!!!.c", b"Bearer a.W10.c"),
        *(b"Bearer a.eyJpc3MiOjF9.c", b"Bearer a.\xe9.c", b"Bearer " + b"a" * 5_000 + b".b.c"),
    ],
)
def test_what_is_no_token_is_nobodys(header: bytes) -> None:
    """Rubbish in the header makes no caller, no user and no error: the gate will refuse it."""
    nobody = asked(authorization=header)

    assert (nobody.caller, nobody.user) == ("", "")
    assert not fits(Target(cohort=100), nobody)


def test_a_cohort_is_of_users() -> None:
    """By the user of the access token, as everybody else computes it; without a user nobody is in it."""
    for number in range(50):
        user = f"user-{number}"
        request = asked(authorization=token(iss=ISSUER, sub=user))
        assert fits(Target(cohort=30), request) == in_cohort(user, 30)
    assert not fits(Target(cohort=100), asked())


@pytest.mark.parametrize(
    ("path", "spared"),
    [
        *(("/health", True), ("/health/live", True), ("/metrics", True), ("/chaos/faults", True)),
        *(("/healthy", False), ("/v1/health", False), ("/", False)),
    ],
)
def test_probes_and_the_kill_switch_are_spared(path: str, spared: bool) -> None:
    """Nothing that the supervisor or the operator relies on can be faulted, nor anything else spared."""
    assert is_spared(path) == spared


def test_a_target_with_no_condition_fits_all() -> None:
    """The default blast radius is every request; the lease bounds it."""
    plain: dict[str, Any] = {}
    assert fits(Target(**plain), asked("/"))
