"""Tokens that nobody should accept, made as an attacker would make them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from services.users.keys import new_key
from services.users.sealing import Seal, load_secret
from services.users.settings import SECRET_FILE
from tests.kill.platform import Platform
from tests.system.books import Books

Claims = Mapping[str, Any]


def _part(value: Mapping[str, Any] | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(claims: Claims, kid: str) -> str:
    """`alg: none`, with an empty signature."""
    return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': kid})}.{_part(claims)}."


def signed_with_the_public_key(claims: Claims, kid: str, public: bytes) -> str:
    """HS256, with the published RSA key as its secret."""
    head = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_part(claims)}"
    return f"{head}.{_part(hmac.new(public, head.encode(), hashlib.sha256).digest())}"


def promoted(token: str) -> str:
    """A genuine token with a better role, and its old signature."""
    head, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    return f"{head}.{_part({**claims, 'role': 'admin'})}.{signature}"


async def signing_key(platform: Platform, books: Books) -> tuple[str, RSAPrivateKey]:
    """The platform's own key, which only an operator can get: to sign what it would not."""
    kid = await books.value("users", "SELECT kid FROM signing_keys ORDER BY signs_from LIMIT 1")
    sealed = await books.value("users", "SELECT sealed FROM signing_keys WHERE kid = $1", kid)
    secret = load_secret(platform.state / "keys" / SECRET_FILE, create=False)
    key = serialization.load_der_private_key(Seal(secret).open(sealed, kid), password=None)
    assert isinstance(key, RSAPrivateKey)
    return kid, key


async def bad_tokens(platform: Platform, books: Books, token: str) -> dict[str, str]:
    """Every kind of token that is not `token`, by what is wrong with it."""
    kid, key = await signing_key(platform, books)
    claims = jwt.decode(token, options={"verify_signature": False})
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    now = int(time.time())

    def signed(by: RSAPrivateKey, name: str = kid, **changes: Any) -> str:
        return jwt.encode({**claims, **changes}, by, algorithm="RS256", headers={"kid": name})

    stranger = new_key()
    without_expiry = {name: value for name, value in claims.items() if name != "exp"}
    return {
        "expired": signed(key, iat=now - 7_200, exp=now - 3_600),
        "another audience": signed(key, aud="another-bank"),
        "another issuer": signed(key, iss="another-bank"),
        "an unknown role": signed(key, role="god"),
        "nobody's id": signed(key, sub="' OR 1=1 --"),
        "without an end": jwt.encode(without_expiry, key, algorithm="RS256", headers={"kid": kid}),
        "a stranger's key": signed(stranger),
        "a stranger's key and name": signed(stranger, "a-key-of-mine"),
        "no signature": unsigned(claims, kid),
        "the public key as secret": signed_with_the_public_key(claims, kid, public),
        "a changed role": promoted(token),
        "cut": token[:-10],
        "no token": "nonsense",
        "far too long": token + "A" * 5_000,
    }
