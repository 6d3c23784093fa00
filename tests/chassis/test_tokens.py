"""Access tokens: who is signed in stays so while users is away, and nobody forges an identity."""

import base64
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest

from chassis.errors import CodedError
from chassis.tokens import (
    FIRST_RETRY_EVERY,
    ISSUER,
    LEEWAY,
    MAX_TOKEN,
    REFRESH_EVERY,
    RETRY_EVERY,
    VERIFIED_LIMIT,
    AccessTokens,
)
from tests.chassis.signing import Signer, _key
from tests.waiting import eventually


class Time:
    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.mono = 0.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


@pytest.fixture
def time_() -> Time:
    return Time()


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def tokens(signer: Signer, time_: Time) -> AccessTokens:
    return AccessTokens(signer.fetch, now=lambda: time_.wall, monotonic=lambda: time_.mono)


async def test_a_token_names_its_user(tokens: AccessTokens, signer: Signer, time_: Time) -> None:
    """Id and role come from the verified claims; the keys are asked for once."""
    user = uuid4()
    token = signer.token(user, "support", now=time_.wall)

    for _ in range(3):
        identity = await tokens.verify(token)

    assert (identity.id, identity.role, identity.is_staff) == (user, "support", True)
    assert signer.asked == 1


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "elsewhere"},
        {"iss": "somebody"},
        {"sub": None},
        {"sub": "not-a-uuid"},
        {"role": None},
        {"role": "emperor"},
        {"exp": None},
        {"sid": "x"},
    ],
)
async def test_wrong_claims_are_refused(
    tokens: AccessTokens, signer: Signer, time_: Time, change: dict[str, Any]
) -> None:
    """A genuine signature does not make up for a claim that is missing or not ours."""
    with pytest.raises(CodedError, match="UNAUTHENTICATED"):
        await tokens.verify(signer.token(now=time_.wall, **change))


async def test_forgeries_are_refused(tokens: AccessTokens, signer: Signer, time_: Time) -> None:
    """Another key, no signature, HMAC with the public key, cut and over-long tokens: all refused."""
    good = signer.token(now=time_.wall)
    head, payload, signature = good.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "key-0"}).encode())
    attempts = [
        signer.token(now=time_.wall, key=_key(7)),
        signer.token(now=time_.wall, key="k" * 64, algorithm="HS256"),
        f"{none.decode().rstrip('=')}.{payload}.",
        f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        f"{head}.{payload}",
        "",
        "x" * (MAX_TOKEN + 1),
    ]
    for token in attempts:
        with pytest.raises(CodedError, match="UNAUTHENTICATED"):
            await tokens.verify(token)


async def test_an_expired_token_says_so(tokens: AccessTokens, signer: Signer, time_: Time) -> None:
    """Clients learn that they should refresh, also when the token had been verified before."""
    token = signer.token(now=time_.wall)
    await tokens.verify(token)

    time_.pass_(900 + LEEWAY + 1)

    with pytest.raises(CodedError, match="TOKEN_EXPIRED"):
        await tokens.verify(token)


async def test_sessions_outlive_an_outage_of_users(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """With the users service away, known keys verify new tokens, for as long as it takes."""
    await tokens.warm_up()
    signer.away = True
    time_.pass_(REFRESH_EVERY * 10)

    identity = await tokens.verify(signer.token(now=time_.wall))

    assert identity.role == "customer"


async def test_sessions_outlive_our_restart_during_the_outage(
    signer: Signer, time_: Time, tmp_path: Path
) -> None:
    """The last good keys are kept in a file that only we may read."""
    file = tmp_path / "state" / "jwks.json"
    before = AccessTokens(
        signer.fetch, file=file, now=lambda: time_.wall, monotonic=lambda: time_.mono
    )
    await before.warm_up()
    signer.away = True

    after = AccessTokens(
        signer.fetch, file=file, now=lambda: time_.wall, monotonic=lambda: time_.mono
    )

    assert (await after.verify(signer.token(now=time_.wall))).role == "customer"
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_damaged_key_file_is_passed_over(
    signer: Signer, time_: Time, tmp_path: Path
) -> None:
    """What cannot be read is as good as absent: the keys are asked for."""
    file = tmp_path / "jwks.json"
    file.write_text("{")
    tokens = AccessTokens(signer.fetch, file=file, now=lambda: time_.wall)

    assert (await tokens.verify(signer.token(now=time_.wall))).role == "customer"


async def test_without_any_key_the_truth_is_unavailable(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """Before the first keys we cannot tell a good token from a bad one, and say that."""
    signer.away = True

    with pytest.raises(CodedError, match="UNAVAILABLE") as caught:
        await tokens.verify(signer.token(now=time_.wall))

    assert caught.value.service == "users"
    signer.away = False
    time_.pass_(RETRY_EVERY)
    assert (await tokens.verify(signer.token(now=time_.wall))).role == "customer"


async def test_who_was_up_before_users_has_keys_as_soon_as_there_are_some(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """A warm-up that came too early costs a moment, not the usual pause; and still makes no storm."""
    signer.away = True
    await tokens.warm_up()
    asked = signer.asked
    for _ in range(50):
        with pytest.raises(CodedError, match="UNAVAILABLE"):
            await tokens.verify(signer.token(now=time_.wall))
    assert signer.asked == asked

    signer.away = False
    time_.pass_(FIRST_RETRY_EVERY)
    assert FIRST_RETRY_EVERY < 1
    assert (await tokens.verify(signer.token(now=time_.wall))).role == "customer"


async def test_a_new_key_is_asked_for(tokens: AccessTokens, signer: Signer, time_: Time) -> None:
    """A rotation is followed by the first token that it signs."""
    await tokens.warm_up()
    signer.rotate()
    time_.pass_(RETRY_EVERY)

    assert (await tokens.verify(signer.token(now=time_.wall))).role == "customer"


async def test_forged_key_ids_make_no_storm(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """However many unknown key ids arrive, the users service is asked at a bounded rate."""
    await tokens.warm_up()
    for number in range(50):
        with pytest.raises(CodedError, match="UNAUTHENTICATED"):
            await tokens.verify(signer.token(now=time_.wall, kid=f"forged-{number}"))
        time_.pass_(0.1)

    assert signer.asked <= 2


async def test_a_withdrawn_key_is_forgotten(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """Once a key is no longer published, tokens that it signed end, remembered ones too."""
    old = signer.token(now=time_.wall)
    await tokens.verify(old)
    signer.rotate(withdraw=True)
    time_.pass_(RETRY_EVERY)
    await tokens.verify(signer.token(now=time_.wall))

    with pytest.raises(CodedError, match="UNAUTHENTICATED"):
        await tokens.verify(old)


async def test_the_regular_refresh_makes_nobody_wait(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """Known keys verify at once while fresh ones are fetched behind."""
    await tokens.warm_up()
    time_.pass_(REFRESH_EVERY)
    token = signer.token(now=time_.wall)

    await tokens.verify(token)
    assert signer.asked == 1
    await eventually(lambda: signer.asked == 2)


async def test_what_is_remembered_is_bounded(
    tokens: AccessTokens, signer: Signer, time_: Time
) -> None:
    """Many tokens do not grow the memory."""
    good = signer.token(now=time_.wall)
    identity = await tokens.verify(good)
    tokens._verified.update({str(n): (identity, 0.0) for n in range(VERIFIED_LIMIT)})

    await tokens.verify(signer.token(now=time_.wall))

    assert len(tokens._verified) <= VERIFIED_LIMIT + 1


def test_the_signer_makes_what_users_makes() -> None:
    """The test's own signer uses the platform's issuer, so that the tests above mean something."""
    assert jwt.decode(Signer().token(), options={"verify_signature": False})["iss"] == ISSUER
