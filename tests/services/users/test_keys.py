"""Signing keys: their schedule, their seal, and replicas that agree."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes
from chassis.errors import CodedError
from chassis.settings import SettingsError
from chassis.tokens import AccessTokens
from resilience.testing import FakeClock
from services.users import access, key_plan, keys
from services.users.contract import Role
from services.users.key_plan import ACCESS_LIFETIME, MARGIN, PUBLISH_AHEAD, ROTATE_EVERY, KeyTimes
from services.users.keys import KeyRing
from services.users.sealing import Seal, SealBroken, load_secret
from tests.services.users.conftest import SECRET, one_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OTHER = b"another secret of thirty-two bytes"


def fresh_key() -> rsa.RSAPrivateKey:
    """A small key, quick to make, where several are needed."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key(
    kid: str, started: timedelta, *, retire: timedelta | None = None, ours: bool = True
) -> KeyTimes:
    return KeyTimes(kid, NOW + started, None if retire is None else NOW + retire, ours)


def claims() -> dict[str, object]:
    from uuid import uuid4

    return access.claims(uuid4(), Role.CUSTOMER, uuid4(), datetime.now(UTC))


async def age_keys(engine: AsyncEngine, by: timedelta) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE signing_keys SET signs_from = signs_from - make_interval(secs => :by),"
                " retire_at = retire_at - make_interval(secs => :by)"
            ),
            {"by": by.total_seconds()},
        )


def test_first_key_signs_at_once() -> None:
    """Where nothing can sign, the key made now signs from now."""
    assert key_plan.plan([], NOW).create_from == NOW


def test_nothing_to_do_in_between() -> None:
    """A young key stays alone."""
    plan = key_plan.plan([key("a", timedelta(days=-3))], NOW)
    assert (plan.create_from, plan.retire, plan.delete) == (None, {}, ())


def test_successor_is_published_ahead() -> None:
    """An hour before a key's time is over its successor is made, and the old one's end is written."""
    started = PUBLISH_AHEAD - ROTATE_EVERY
    plan = key_plan.plan([key("a", started)], NOW)
    assert plan.create_from == NOW + PUBLISH_AHEAD
    assert plan.retire == {"a": NOW + PUBLISH_AHEAD + ACCESS_LIFETIME + MARGIN}


def test_late_rotation_is_published_ahead_too() -> None:
    """A service that slept for months still publishes a key before it signs with it."""
    plan = key_plan.plan([key("a", -10 * ROTATE_EVERY)], NOW)
    assert plan.create_from == NOW + PUBLISH_AHEAD
    assert plan.delete == ()


def test_spent_keys_go() -> None:
    """A key goes when its last token has expired, not before; a foreign one after a long while."""
    known = [
        key("spent", -2 * ROTATE_EVERY, retire=timedelta(0)),
        key("old", -ROTATE_EVERY, retire=timedelta(seconds=1)),
        key("current", timedelta(days=-1)),
        key("foreign", -key_plan.FORGET_FOREIGN, ours=False),
        key("foreign but young", timedelta(days=-1), ours=False),
    ]
    assert key_plan.plan(known, NOW).delete == ("spent", "foreign")


def test_signer_is_the_latest_that_has_begun() -> None:
    """A published key does not sign early, and one without its secret never."""
    known = [
        key("old", timedelta(days=-2)),
        key("current", timedelta(0)),
        key("next", timedelta(seconds=1)),
        key("foreign", timedelta(0), ours=False),
    ]
    chosen = key_plan.signer(known, NOW)
    assert chosen is not None
    assert chosen.kid == "current"
    assert key_plan.signer(known[2:], NOW) is None


@given(st.lists(st.floats(min_value=0.01, max_value=20), min_size=1, max_size=60))
def test_no_token_outlives_its_key(pauses: list[float]) -> None:
    """However irregularly the schedule is looked at (in days), whatever signs stays published for as
    long as its tokens live, and every key was published for an hour before it signed."""
    known: list[KeyTimes] = []
    now, made, published = NOW, 0, {}
    last_signed: dict[str, datetime] = {}
    for pause in pauses:
        plan = key_plan.plan(known, now)
        for kid in plan.delete:
            assert now >= last_signed.get(kid, NOW) + ACCESS_LIFETIME
        known = [
            KeyTimes(
                item.kid, item.signs_from, plan.retire.get(item.kid, item.retire_at), ours=True
            )
            for item in known
            if item.kid not in plan.delete
        ]
        if plan.create_from is not None:
            made += 1
            known.append(KeyTimes(str(made), plan.create_from, None, ours=True))
            published[str(made)] = now
        signer = key_plan.signer(known, now)
        assert signer is not None
        if signer.kid != "1":
            assert now - published[signer.kid] >= PUBLISH_AHEAD
        now += timedelta(days=pause)
        until = now - timedelta(microseconds=1)
        at_end = key_plan.signer(known, until)
        assert at_end is not None
        last_signed[at_end.kid] = until
        for item in known:
            if item.kid != at_end.kid and item.signs_from < at_end.signs_from:
                last_signed[item.kid] = min(
                    last_signed.get(item.kid, at_end.signs_from), at_end.signs_from
                )


async def test_replicas_share_one_key(engine: AsyncEngine) -> None:
    """Replicas that start together make one key, and each verifies what the other signs."""
    rings = [KeyRing(engine, Seal(SECRET), source=fresh_key) for _ in range(3)]
    await asyncio.gather(*(ring.ready() for ring in rings))

    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM signing_keys"))).scalar() == 1
    for ring in rings:
        await AccessTokens(rings[0].public_keys).verify(ring.sign(claims()))


async def test_private_key_is_sealed(engine: AsyncEngine, keys: KeyRing) -> None:
    """What stands in the database opens with the secret only, and for its own row only."""
    await keys.ready()
    async with engine.connect() as connection:
        row = (await connection.execute(text("SELECT kid, sealed FROM signing_keys"))).one()
    assert Seal(SECRET).open(row.sealed, row.kid).startswith(b"0\x82")
    assert b"\x30\x82\x04" not in bytes(row.sealed)
    for seal, kid in ((Seal(OTHER), row.kid), (Seal(SECRET), "other")):
        with pytest.raises(SealBroken):
            seal.open(row.sealed, kid)
    with pytest.raises(SealBroken):
        Seal(SECRET).open(row.sealed[:-1] + b"\x00", row.kid)


async def test_rotation(engine: AsyncEngine) -> None:
    """A new key is published first, signs later, and the old one goes when its tokens have expired."""
    ring = KeyRing(engine, Seal(SECRET), source=fresh_key)
    await ring.ready()
    old_token = ring.sign(claims())
    old = jwt.get_unverified_header(old_token)["kid"]

    await age_keys(engine, ROTATE_EVERY - PUBLISH_AHEAD)
    await ring.refresh()
    published = [item.kid for item in (await ring.public_keys()).keys]
    assert len(published) == 2
    assert jwt.get_unverified_header(ring.sign(claims()))["kid"] == old

    await age_keys(engine, PUBLISH_AHEAD)
    await ring.refresh()
    new_token = ring.sign(claims())
    assert jwt.get_unverified_header(new_token)["kid"] == published[1] != old
    verifier = AccessTokens(ring.public_keys)
    await verifier.verify(old_token)
    await verifier.verify(new_token)

    await age_keys(engine, ACCESS_LIFETIME + MARGIN)
    await ring.refresh()
    assert [item.kid for item in (await ring.public_keys()).keys] == [published[1]]


async def test_replica_changes_keys_by_the_database_clock(engine: AsyncEngine) -> None:
    """Between looks a replica reckons the database's time, so that it switches when the others do."""
    clock = FakeClock()
    ring = KeyRing(engine, Seal(SECRET), source=fresh_key, clock=clock)
    await ring.ready()
    await age_keys(engine, ROTATE_EVERY - timedelta(minutes=10))
    await ring.refresh()
    first = jwt.get_unverified_header(ring.sign(claims()))["kid"]

    clock.jump(PUBLISH_AHEAD.total_seconds() + 1)

    assert jwt.get_unverified_header(ring.sign(claims()))["kid"] != first


async def test_keys_read_long_ago_are_read_again_before_signing(engine: AsyncEngine) -> None:
    """A replica whose worker has stalled looks at the schedule before it signs."""
    clock = FakeClock()
    ring = KeyRing(engine, Seal(SECRET), source=fresh_key, clock=clock)
    await ring.ready()
    await age_keys(engine, ROTATE_EVERY + PUBLISH_AHEAD)
    await ring.ready()
    assert len((await ring.public_keys()).keys) == 1
    clock.jump(keys.TRUSTED_FOR + 1)
    await ring.ready()
    assert len((await ring.public_keys()).keys) == 2


async def test_lost_secret(engine: AsyncEngine) -> None:
    """With another secret a new key signs at once, and what the old one signed stays verifiable."""
    before = KeyRing(engine, Seal(SECRET), source=fresh_key)
    await before.ready()
    old_token = before.sign(claims())

    after = KeyRing(engine, Seal(OTHER), source=fresh_key)
    await after.ready()
    new_token = after.sign(claims())

    verifier = AccessTokens(after.public_keys)
    await verifier.verify(old_token)
    await verifier.verify(new_token)


async def test_key_that_an_operator_deletes(engine: AsyncEngine) -> None:
    """After its row is deleted a key neither signs nor is published, and a new one signs at once."""
    ring = KeyRing(engine, Seal(SECRET), source=fresh_key)
    await ring.ready()
    leaked = jwt.get_unverified_header(ring.sign(claims()))["kid"]
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM signing_keys"))

    await ring.refresh()

    published = [item.kid for item in (await ring.public_keys()).keys]
    assert leaked not in published
    assert published == [jwt.get_unverified_header(ring.sign(claims()))["kid"]]


async def test_public_keys_outlive_the_database(engine: AsyncEngine, keys: KeyRing) -> None:
    """Keys that were read are published while the database is away."""
    await keys.ready()
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE signing_keys RENAME TO away"))
    with pytest.raises(CodedError):
        await keys.refresh()
    assert len((await keys.public_keys()).keys) == 1
    assert keys.sign(claims())


def test_nothing_to_sign_with(engine: AsyncEngine) -> None:
    """Before any key was read, signing is refused as unavailable."""
    with pytest.raises(CodedError) as caught:
        KeyRing(engine, Seal(SECRET), source=one_key).sign({})
    assert caught.value.code == codes.UNAVAILABLE.name


def test_thumbprint_is_the_rfc_s() -> None:
    """The key id is the RFC 7638 thumbprint: the same key has the same id everywhere."""
    public = keys.public_form(one_key())
    assert public == keys.public_form(one_key())
    assert len(public.kid) == 43


def test_secret_file(tmp_path: Path) -> None:
    """Outside production a missing secret is made once, for our eyes only, and then kept."""
    path = tmp_path / "keys" / "secret"
    first = load_secret(path, create=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_secret(path, create=True) == first
    assert [item.name for item in path.parent.iterdir()] == ["secret"]


def test_secret_file_in_production(tmp_path: Path) -> None:
    """In production a missing or short secret stops the start, and the message has the way out."""
    with pytest.raises(SettingsError, match="openssl rand"):
        load_secret(tmp_path / "secret", create=False)
    (tmp_path / "secret").write_text("short")
    with pytest.raises(SettingsError, match="fewer than 32"):
        load_secret(tmp_path / "secret", create=False)
