"""The keys that sign access tokens: kept sealed in the database, shared by all replicas, rotated.

Whoever looks first when a key is due makes it; an advisory lock lets one look at a time. Each replica
keeps the keys it read and goes by the database's clock, so that all of them change keys together.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import codes, logs, tokens
from chassis.database import transaction
from chassis.tokens import KeySet, PublicKey
from resilience.clock import SYSTEM_CLOCK, Clock
from services.users import key_plan
from services.users.key_plan import KeyTimes, Plan
from services.users.schema import signing_keys
from services.users.sealing import Seal, SealBroken

KEY_BITS = 2048
"""NIST SP 800-57: good until 2030; signing takes about a millisecond."""

RELOAD_EVERY = 60.0
"""Seconds between looks at the schedule, by a worker."""

TRUSTED_FOR = 1800.0
"""Seconds that the keys read last may be used for signing without reading them again: half of the time
that a new key is published ahead, so that no replica signs with a key after its successor took over."""

ADVISORY_LOCK = 0x5EA1
"""Lets one replica at a time look at the schedule."""

KeySource = Callable[[], rsa.RSAPrivateKey]

_log = logs.get("keys")


def new_key() -> rsa.RSAPrivateKey:
    """A fresh RSA key; takes 50–500 ms of one core."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


@dataclass(frozen=True, slots=True)
class _Key:
    times: KeyTimes
    public: PublicKey
    private: rsa.RSAPrivateKey | None


@dataclass(frozen=True, slots=True)
class _Loaded:
    keys: tuple[_Key, ...]
    database_time: datetime
    at: float
    """The monotonic clock when `database_time` was read."""


class KeyRing:
    """Signs access tokens and publishes the keys that verify them."""

    def __init__(
        self,
        engine: AsyncEngine,
        seal: Seal,
        *,
        source: KeySource = new_key,
        rotate_every: timedelta = key_plan.ROTATE_EVERY,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._engine = engine
        self._seal = seal
        self._source = source
        self._rotate_every = rotate_every
        self._clock = clock
        self._loaded: _Loaded | None = None
        self._loading = asyncio.Lock()

    async def ready(self) -> None:
        """Make sure that keys are at hand and recent enough to sign with.

        Raises:
            DatabaseError: they are not, and cannot be read.
        """
        loaded = self._loaded
        if loaded is None or self._clock.monotonic() - loaded.at > TRUSTED_FOR:
            async with self._loading:
                if self._loaded is loaded:
                    await self.refresh()

    async def refresh(self) -> None:
        """Carry the schedule out and read the keys.

        Raises:
            DatabaseError: it could not be done; the keys read before stay in use.
        """
        async with transaction(self._engine) as uow:
            await uow.connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK}
            )
            await self._carry_out(uow.connection)
            loaded = await self._read(uow.connection)
            await uow.commit()
        self._loaded = loaded

    def sign(self, claims: dict[str, object]) -> str:
        """A JWT with `claims`; `ready` must have returned.

        Raises:
            CodedError: UNAVAILABLE when no key can sign.
        """
        key = self._signer()
        if key is None or key.private is None:
            raise codes.UNAVAILABLE.error("No key to sign with is at hand yet.", retry_after=1.0)
        return jwt.encode(
            claims, key.private, algorithm=tokens.ALGORITHM, headers={"kid": key.times.kid}
        )

    async def public_keys(self) -> KeySet:
        """The keys to publish: the last ones read, so that they outlive an outage of the database.

        Raises:
            DatabaseError: none were ever read, and they cannot be now.
        """
        if self._loaded is None:
            await self.ready()
        keys = self._loaded.keys if self._loaded else ()
        return KeySet(keys=[key.public for key in keys])

    def _signer(self) -> _Key | None:
        loaded = self._loaded
        if loaded is None:
            return None
        passed = timedelta(seconds=self._clock.monotonic() - loaded.at)
        chosen = key_plan.signer([key.times for key in loaded.keys], loaded.database_time + passed)
        return next((key for key in loaded.keys if key.times is chosen), None)

    async def _carry_out(self, connection: AsyncConnection) -> None:
        loaded = await self._read(connection)
        times = [key.times for key in loaded.keys]
        todo = key_plan.plan(times, loaded.database_time, rotate_every=self._rotate_every)
        if todo.create_from is not None:
            await self._create(connection, todo.create_from)
        await _apply(connection, todo)

    async def _create(self, connection: AsyncConnection, signs_from: datetime) -> None:
        private = await asyncio.to_thread(self._source)
        public = public_form(private)
        raw = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        await connection.execute(
            insert(signing_keys).values(
                kid=public.kid,
                modulus=public.n,
                exponent=public.e,
                sealed=self._seal.seal(raw, public.kid),
                secret_id=self._seal.secret_id,
                signs_from=signs_from,
            )
        )
        _log.info("signing key made", kid=public.kid)

    async def _read(self, connection: AsyncConnection) -> _Loaded:
        statement = select(signing_keys).order_by(signing_keys.c.signs_from)
        keys: list[_Key] = []
        for row in await connection.execute(statement):
            private = self._unseal(row.kid, row.sealed, row.secret_id)
            times = KeyTimes(row.kid, row.signs_from, row.retire_at, ours=private is not None)
            public = PublicKey(
                kid=row.kid,
                kty="RSA",
                alg=tokens.ALGORITHM,
                use="sig",
                n=row.modulus,
                e=row.exponent,
            )
            keys.append(_Key(times, public, private))
        now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return _Loaded(tuple(keys), now, self._clock.monotonic())

    def _unseal(self, kid: str, sealed: bytes, secret_id: str) -> rsa.RSAPrivateKey | None:
        if secret_id != self._seal.secret_id:
            return None
        known = next((key for key in self._known() if key.times.kid == kid), None)
        if known is not None and known.private is not None:
            return known.private
        try:
            # The seal has authenticated it, so the costly check of its numbers is left out.
            key = serialization.load_der_private_key(
                self._seal.open(sealed, kid), password=None, unsafe_skip_rsa_key_validation=True
            )
        except (SealBroken, ValueError):
            _log.error("signing key not readable", kid=kid)
            return None
        return key if isinstance(key, rsa.RSAPrivateKey) else None

    def _known(self) -> tuple[_Key, ...]:
        return self._loaded.keys if self._loaded else ()


async def _apply(connection: AsyncConnection, todo: Plan) -> None:
    for kid, moment in todo.retire.items():
        await connection.execute(
            update(signing_keys).where(signing_keys.c.kid == kid).values(retire_at=moment)
        )
    if todo.delete:
        await connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(todo.delete)))
        for kid in todo.delete:
            _log.info("signing key withdrawn", kid=kid)


def public_form(private: rsa.RSAPrivateKey) -> PublicKey:
    """The public half as it is published; `kid` is its thumbprint (RFC 7638)."""
    numbers = private.public_key().public_numbers()
    modulus, exponent = _base64url(numbers.n), _base64url(numbers.e)
    canonical = json.dumps({"e": exponent, "kty": "RSA", "n": modulus}, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).digest()
    kid = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return PublicKey(kid=kid, kty="RSA", alg=tokens.ALGORITHM, use="sig", n=modulus, e=exponent)


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
