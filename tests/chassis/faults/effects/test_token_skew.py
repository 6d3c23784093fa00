"""Tokens by a wrong clock: the process' own credentials, and those that it checks."""

import json
import time
from pathlib import Path

import jwt
import pytest

from chassis.credentials import LEEWAY, LIFETIME, Credentials, Verifier, generate_keys
from chassis.errors import CodedError
from chassis.faults.contract import NewFault
from chassis.faults.point import token_clock
from chassis.tokens import AccessTokens
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted, new_point
from tests.chassis.signing import Signer


def _wanted(seconds: float, lease: float = 60) -> NewFault:
    return NewFault(type="token_skew", attributes={"seconds": seconds}, lease_seconds=lease)


SLOW = {"type": "token_skew", "attributes": {"seconds": -3600}}


async def test_a_process_ahead_refuses_good_credentials_until_the_lease_is_over(
    faulted: Faulted, clock: FakeClock
) -> None:
    """While the clock is an hour ahead every caller's credential has expired; then all is well again."""
    await faulted.inject("token_skew", lease=30, attributes={"seconds": 3600})

    status, body = await faulted.say()

    assert (status, json.loads(body)["code"]) == (401, "SERVICE_UNAUTHENTICATED")
    assert (await faulted.faults())[0].met >= 1
    await clock.advance(30)
    assert (await faulted.say())[0] == 200


async def test_a_process_behind_makes_credentials_that_have_expired(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Made an hour ago by its own clock, a credential is refused; after the lease a fresh one is made."""
    point = new_point(clock=clock)
    generate_keys(tmp_path, ["gateway"])
    credentials = Credentials.load(tmp_path, "gateway", now=token_clock(point))
    verifier = Verifier.load(tmp_path, "echo")
    point.add(_wanted(-3600, lease=10))

    with pytest.raises(CodedError, match="expired"):
        verifier.verify(credentials.token_for("echo"))

    await clock.advance(10)
    assert verifier.verify(credentials.token_for("echo")) == "gateway"


async def test_access_tokens_go_by_the_same_clock(clock: FakeClock) -> None:
    """A user's good token has expired for a process that is ahead, remembered or not."""
    signer, point = Signer(), new_point(clock=clock)
    tokens = AccessTokens(signer.fetch, now=token_clock(point))
    token = signer.token()
    await tokens.verify(token)
    point.add(_wanted(3600, lease=10))

    with pytest.raises(CodedError, match="TOKEN_EXPIRED"):
        await tokens.verify(token)

    point.end_all()
    assert (await tokens.verify(token)).role == "customer"


def test_without_a_fault_the_clock_is_the_wall_clock(tmp_path: Path) -> None:
    """Skews add up, and with none in place tokens are dated now."""
    point = new_point(clock=FakeClock())
    generate_keys(tmp_path, ["gateway"])
    made = Credentials.load(tmp_path, "gateway", now=point.token_time).token_for("echo")
    claims = jwt.decode(made, options={"verify_signature": False})
    assert abs(claims["exp"] - LIFETIME - time.time()) < LEEWAY

    for seconds in (100, -30):
        point.add(_wanted(seconds))
    assert point.token_skew() == 70


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"target": {"route": "/v1/say"}}, "target.route"),
        ({"target": {"topic": "user-events"}}, "target.topic"),
        ({"target": {"percent": 10}}, "target.percent"),
        ({"duration": 5}, "duration"),
        ({"attributes": {"seconds": 1e9}}, "attributes.seconds"),
    ],
)
async def test_a_clock_has_no_target(faulted: Faulted, more: dict[str, object], field: str) -> None:
    """It is one clock for the whole process: what would narrow it down is refused by name."""
    status, body = await faulted.chaos("POST", "faults", SLOW | {"leaseSeconds": 9} | more)

    assert (status, json.loads(body)["field"]) == (422, field)
