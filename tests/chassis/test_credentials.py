"""Nobody speaks for another service, and a copied credential is soon worth nothing."""

import json
import stat
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.credentials import (
    LEEWAY,
    LIFETIME,
    RENEW_BEFORE,
    VERIFIED_LIMIT,
    Credentials,
    Verifier,
    generate_keys,
)
from chassis.errors import CodedError
from chassis.settings import SettingsError


class Wall:
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    generate_keys(tmp_path, ("gateway", "users", "ledger"))
    return tmp_path


def pair(keys: Path, wall: Wall) -> tuple[Credentials, Verifier]:
    made, verifier = Credentials.load(keys, "gateway"), Verifier.load(keys, "ledger")
    made._now = wall
    verifier._now = wall
    return made, verifier


def test_a_credential_names_its_maker(keys: Path) -> None:
    """What one service signs, the audience reads as that service, again and again."""
    made, verifier = pair(keys, Wall())

    assert [verifier.verify(made.token_for("ledger")) for _ in range(3)] == ["gateway"] * 3


def test_it_is_renewed_before_it_ends(keys: Path) -> None:
    """A token is reused while it has time left, and what is handed out always has `RENEW_BEFORE` s."""
    wall = Wall()
    made, verifier = pair(keys, wall)

    first = made.token_for("ledger")
    wall.now += LIFETIME - RENEW_BEFORE - 1
    same = made.token_for("ledger")
    wall.now += 2
    renewed = made.token_for("ledger")

    assert first == same != renewed
    wall.now += RENEW_BEFORE
    assert verifier.verify(renewed) == "gateway"


@pytest.mark.parametrize("remembered", [True, False])
def test_it_ends(keys: Path, remembered: bool) -> None:
    """After its minute and the clocks' leeway it is refused, also by who has verified it before."""
    wall = Wall()
    made, verifier = pair(keys, wall)
    token = made.token_for("ledger")
    if remembered:
        verifier.verify(token)

    wall.now += LIFETIME + LEEWAY + 1

    with pytest.raises(CodedError, match="SERVICE_UNAUTHENTICATED"):
        verifier.verify(token)


def forged(keys: Path, key: object, algorithm: str, **claims: object) -> str:
    base = {"iss": "gateway", "aud": "ledger", "iat": 1_800_000_000, "exp": 1_800_000_060}
    return jwt.encode(base | claims, key, algorithm=algorithm)  # type: ignore[arg-type]


def test_forgeries_are_refused(keys: Path) -> None:
    """Another key, no signature, the public key as a shared secret, a missing claim: all refused."""
    _, verifier = pair(keys, Wall())
    public = json.loads((keys / "trust.json").read_text())["gateway"]
    own = serialization.load_pem_private_key((keys / "gateway.pem").read_bytes(), None)
    head, payload, _ = forged(keys, own, "EdDSA").split(".")
    attempts = [
        forged(keys, Ed25519PrivateKey.generate(), "EdDSA"),
        forged(keys, None, "none"),
        f"{head}.{payload}.",
        f"{head}.{payload}.AAAA",
        forged(keys, own, "EdDSA", iss="users"),
        forged(keys, own, "EdDSA", iss="nobody"),
        forged(keys, own, "EdDSA", aud="users"),
        forged(keys, own, "EdDSA", exp=None),
        public,
        "",
        "a.b.c",
    ]
    for token in attempts:
        with pytest.raises(CodedError, match="SERVICE_UNAUTHENTICATED"):
            verifier.verify(token)


def test_what_is_remembered_is_bounded(keys: Path) -> None:
    """Many tokens do not grow the memory of the verifier."""
    wall = Wall()
    made, verifier = pair(keys, wall)
    token = made.token_for("ledger")
    verifier._verified.update({str(number): ("x", 0.0) for number in range(VERIFIED_LIMIT)})

    verifier.verify(token)

    assert len(verifier._verified) == VERIFIED_LIMIT


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    """A second start keeps the keys; only their owner may read them; a new service joins the trust."""
    generate_keys(tmp_path, ("gateway",))
    before = (tmp_path / "gateway.pem").read_bytes()
    generate_keys(tmp_path, ("gateway", "users"))

    assert (tmp_path / "gateway.pem").read_bytes() == before
    assert set(json.loads((tmp_path / "trust.json").read_text())) == {"gateway", "users"}
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [None, b"not a key", b"{}"])
def test_unusable_keys_are_told_before_the_start(tmp_path: Path, content: bytes | None) -> None:
    """A missing or broken key is a settings error with the way out, not a crash later."""
    if content is not None:
        (tmp_path / "gateway.pem").write_bytes(content)
        (tmp_path / "trust.json").write_bytes(content[:5])

    with pytest.raises(SettingsError, match=r"gateway\.pem"):
        Credentials.load(tmp_path, "gateway")
    if content != b"{}":
        with pytest.raises(SettingsError, match=r"trust\.json"):
            Verifier.load(tmp_path, "gateway")
