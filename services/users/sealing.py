"""The secret under which signing keys lie in the database, so that a copy of the database signs nothing.

The operator gives a file with at least 32 random bytes of text; outside production it is made when it
is missing, beside the other keys. Several replicas need the same one.
"""

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.settings import SettingsError

MIN_SECRET = 32
"""Fewest bytes of a secret."""

_NONCE = 12


class SealBroken(Exception):
    """The sealed bytes were made with another secret or for another key, or were changed."""


class Seal:
    """Encrypts and authenticates small private values (AES-256-GCM). `secret_id` names the secret."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(_derive(secret, b"baluarte users: signing keys"))
        self.secret_id = _derive(secret, b"baluarte users: name of the secret").hex()[:16]

    def seal(self, value: bytes, bound_to: str) -> bytes:
        """Encrypt `value`; only `open` with the same `bound_to` gives it back."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, bound_to.encode())

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """What was sealed. Raises `SealBroken`."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
        except (InvalidTag, ValueError):
            raise SealBroken from None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(secret)


def load_secret(path: Path, *, create: bool) -> bytes:
    """The secret in `path`; made, readable by us alone, when it is missing and `create` says so.

    Raises:
        SettingsError: it is missing, unreadable or too short.
    """
    if create and not path.exists():
        _create(path)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise _problem(path, str(error.strerror)) from None
    if len(secret) < MIN_SECRET:
        raise _problem(path, f"has fewer than {MIN_SECRET} bytes")
    return secret


def _problem(path: Path, what: str) -> SettingsError:
    way_out = (
        "make one with `openssl rand -base64 48`, the same for every replica, "
        "readable by the users processes only"
    )
    return SettingsError([f"BALUARTE_USERS_SIGNING_SECRET_FILE: {path.name}: {what}; {way_out}"])


def _create(path: Path) -> None:
    """Write a new secret whole or not at all; of several replicas that try, one wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(48)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
