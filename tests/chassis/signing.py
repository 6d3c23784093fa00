"""A signer of users' access tokens for tests, and the users service's side of the key exchange."""

import base64
import time
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis import codes
from chassis.tokens import ALGORITHM, AUDIENCE, ISSUER, KeySet, PublicKey


@cache
def _key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Signer:
    """Signs tokens and publishes its keys; `away` makes it unreachable."""

    def __init__(self) -> None:
        self.current = 0
        self.published = [0]
        self.away = False
        self.asked = 0

    async def fetch(self) -> KeySet:
        self.asked += 1
        if self.away:
            raise codes.UNAVAILABLE.error(service="users")
        return KeySet(keys=[self._public(number) for number in self.published])

    def rotate(self, *, withdraw: bool = False) -> None:
        self.current += 1
        self.published = [self.current] if withdraw else [*self.published, self.current]

    def _public(self, number: int) -> PublicKey:
        public = _key(number).public_key().public_numbers()
        return PublicKey(
            kid=f"key-{number}",
            kty="RSA",
            alg=ALGORITHM,
            use="sig",
            n=_number(public.n),
            e=_number(public.e),
        )

    def token(
        self,
        user: UUID | None = None,
        role: str = "customer",
        *,
        now: float | None = None,
        kid: str | None = None,
        key: Any = None,
        algorithm: str = ALGORITHM,
        **claims: Any,
    ) -> str:
        """An access token as the users service makes it, or one that differs as told."""
        issued = int(now if now is not None else time.time())
        content = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user or uuid4()),
            "role": role,
            "iat": issued,
            "exp": issued + 900,
            "jti": str(uuid4()),
            "sid": str(uuid4()),
        } | claims
        content = {name: value for name, value in content.items() if value is not None}
        headers = {"kid": kid or f"key-{self.current}"}
        return jwt.encode(content, key or _key(self.current), algorithm=algorithm, headers=headers)
