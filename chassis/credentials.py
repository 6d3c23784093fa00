"""Service credentials: who calls, proved by a short-lived token that the caller signs with its own key.

Each process has an Ed25519 key; `trust.json` holds everybody's public key. A token names its issuer
(`iss`), the one service that it is for (`aud`) and lives a minute, so that a copied one is of little
use and nobody can speak for another.
"""

import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis import codes
from chassis.settings import SettingsError

ALGORITHM = "EdDSA"
LIFETIME = 60.0
"""Seconds that a credential is valid."""

RENEW_BEFORE = 20.0
"""Seconds before its end at which the caller makes a new one: more than any deadline in flight."""

LEEWAY = 5.0
"""Seconds by which two machines' clocks may differ."""

VERIFIED_LIMIT = 1_000
"""Most verified tokens remembered: one per caller and minute is the usual, forgery cannot grow it."""

TRUST_FILE = "trust.json"


def generate_keys(keys_dir: Path, services: Sequence[str]) -> None:
    """Make the key of every service that has none, and the trust file; existing keys are kept.

    Files are readable by their owner only, and appear whole or not at all.
    """
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    trust: dict[str, str] = {}
    for service in services:
        path = keys_dir / f"{service}.pem"
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            _write_private(
                path,
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            )
        public = _load_private(path).public_key()
        trust[service] = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
    _write_private(keys_dir / TRUST_FILE, json.dumps(trust, indent=2).encode())


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_suffix(path.suffix + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _load_private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(
            [
                f"service key {path.name}: {error.strerror}; `baluarte up` makes keys, see BALUARTE_KEYS_DIR"
            ]
        ) from None
    except ValueError:
        raise SettingsError([f"service key {path.name} is not a PEM private key"]) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError([f"service key {path.name} is not an Ed25519 key"])
    return key


class Credentials:
    """Makes this service's tokens, one per audience, renewed before they end."""

    def __init__(
        self, service: str, key: Ed25519PrivateKey, *, now: Callable[[], float] = time.time
    ) -> None:
        self.service = service
        self._key = key
        self._now = now
        self._tokens: dict[str, tuple[str, float]] = {}

    @classmethod
    def load(
        cls, keys_dir: Path, service: str, *, now: Callable[[], float] = time.time
    ) -> "Credentials":
        """Read `<service>.pem`. Raises `SettingsError` when it cannot be used."""
        return cls(service, _load_private(keys_dir / f"{service}.pem"), now=now)

    def token_for(self, audience: str) -> str:
        """A bearer token that only `audience` accepts, with at least `RENEW_BEFORE` s left."""
        now = self._now()
        token, expires = self._tokens.get(audience, ("", 0.0))
        if expires - now > RENEW_BEFORE:
            return token
        expires = now + LIFETIME
        claims = {"iss": self.service, "aud": audience, "iat": int(now), "exp": int(expires)}
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM)
        self._tokens[audience] = (token, expires)
        return token


class Verifier:
    """Tells which service made a token that is meant for `service`."""

    def __init__(
        self,
        service: str,
        trust: Mapping[str, Ed25519PublicKey],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.service = service
        self._trust = dict(trust)
        self._now = now
        self._verified: OrderedDict[str, tuple[str, float]] = OrderedDict()

    @classmethod
    def load(
        cls, keys_dir: Path, service: str, *, now: Callable[[], float] = time.time
    ) -> "Verifier":
        """Read the trust file. Raises `SettingsError` when it cannot be used."""
        path = keys_dir / TRUST_FILE
        try:
            trust = {
                name: serialization.load_pem_public_key(pem.encode())
                for name, pem in json.loads(path.read_bytes()).items()
            }
        except OSError as error:
            raise SettingsError(
                [f"{TRUST_FILE}: {error.strerror}; see BALUARTE_KEYS_DIR"]
            ) from None
        except (ValueError, AttributeError):
            raise SettingsError([f"{TRUST_FILE} does not map names to PEM public keys"]) from None
        keys = {name: key for name, key in trust.items() if isinstance(key, Ed25519PublicKey)}
        return cls(service, keys, now=now)

    def verify(self, token: str) -> str:
        """Name of the service that made `token`.

        Raises:
            CodedError: SERVICE_UNAUTHENTICATED.
        """
        now = self._now()
        caller, expires = self._verified.get(token, ("", 0.0))
        if expires > now:
            return caller
        claims = self._decode(token)
        caller = str(claims["iss"])
        self._verified[token] = (caller, float(claims["exp"]))
        if len(self._verified) > VERIFIED_LIMIT:
            self._verified.popitem(last=False)
        return caller

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
            key = self._trust.get(str(issuer))
            if key is None:
                raise codes.SERVICE_UNAUTHENTICATED.error("The credential's issuer is not trusted.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.service,
                leeway=LEEWAY,
                options={
                    "require": ["iss", "aud", "exp", "iat"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            raise codes.SERVICE_UNAUTHENTICATED.error(
                "The service credential is malformed, forged or meant for another service."
            ) from None
        if float(claims["exp"]) + LEEWAY <= self._now():
            raise codes.SERVICE_UNAUTHENTICATED.error("The service credential has expired.")
        return claims
