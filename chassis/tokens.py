"""Access tokens of users, verified by every process against the public keys of the users service.

The keys are cached and the last good ones kept in a file, so that people stay signed in while the users
service is away, even over a restart. An unknown key id asks for the keys again, at a bounded rate, so
that forged ids cannot make a storm.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import jwt
import msgspec

from chassis import codes, logs
from chassis.context import UserIdentity
from chassis.errors import CodedError
from chassis.keyset import KeySet, PublicKey

__all__ = ["AccessTokens", "FetchKeys", "KeySet", "PublicKey"]

ISSUER = "baluarte-users"
AUDIENCE = "baluarte"
ALGORITHM = "RS256"
LEEWAY = 5
"""Seconds by which two machines' clocks may differ."""

REFRESH_EVERY = 300.0
"""Seconds after which the keys are asked for again; a new key is published long before it signs."""

RETRY_EVERY = 5.0
"""Seconds between attempts, however many unknown key ids arrive."""

FIRST_RETRY_EVERY = 0.25
"""The same while there is no key at all: a process that was up before the users service can serve nobody
until it has some, so that its first answer must not wait for the usual pause."""

VERIFIED_LIMIT = 10_000
"""Most verified tokens remembered; a signature check costs about 50 µs."""

MAX_TOKEN = 4_096
"""Longest token looked at, characters."""

ROLES = frozenset({"customer", "support", "admin"})

_log = logs.get("tokens")


FetchKeys = Callable[[], Awaitable[KeySet]]


class AccessTokens:
    """Verifies access tokens.

    Args:
        fetch: gets the current keys; may fail, then the last good ones serve.
        file: where the last good keys are kept over restarts; public keys, but only our user may write.
        now: the wall clock in seconds, for `exp`.
        monotonic: the clock of the key refresh.
    """

    def __init__(
        self,
        fetch: FetchKeys,
        *,
        file: Path | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._file = file
        self._now = now
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._last_attempt = -math.inf
        self._last_success = -math.inf
        self._refreshing = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None
        self._verified: OrderedDict[str, tuple[UserIdentity, float]] = OrderedDict()
        self._load()

    async def verify(self, token: str) -> UserIdentity:
        """The user whom `token` stands for.

        Raises:
            CodedError: UNAUTHENTICATED, TOKEN_EXPIRED, or UNAVAILABLE when no key was ever seen.
        """
        remembered = self._verified.get(token)
        if remembered is not None and remembered[1] > self._now():
            return remembered[0]
        if len(token) > MAX_TOKEN:
            raise codes.UNAUTHENTICATED.error("The access token is too long to be one of ours.")
        key = await self._key_of(token)
        identity, expires = self._decode(token, key)
        self._verified[token] = (identity, expires)
        if len(self._verified) > VERIFIED_LIMIT:
            self._verified.popitem(last=False)
        return identity

    async def warm_up(self) -> None:
        """Get the keys before the first request; a failure is not one, they are asked for again."""
        await self._refresh()

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
        except jwt.PyJWTError:
            raise codes.UNAUTHENTICATED.error("The access token is malformed.") from None
        if kid not in self._keys:
            await self._refresh()
        elif self._monotonic() - self._last_success >= REFRESH_EVERY:
            self._refresh_behind()
        key = self._keys.get(kid)
        if key is not None:
            return key
        if not self._keys:
            raise codes.UNAVAILABLE.error(
                "Access tokens cannot be verified: the users service has not been reached yet.",
                service="users",
                retry_after=1.0,
            )
        raise codes.UNAUTHENTICATED.error("The access token was signed with an unknown key.")

    def _refresh_behind(self) -> None:
        """Ask for the keys without making this caller wait: the ones at hand still verify."""
        if self._background is None or self._background.done():
            self._background = asyncio.create_task(self._refresh(), name="refresh keys")

    async def _refresh(self) -> None:
        """Ask for the keys unless that was done a moment ago; who waited uses that answer."""
        async with self._refreshing:
            pause = RETRY_EVERY if self._keys else FIRST_RETRY_EVERY
            if self._monotonic() - self._last_attempt < pause:
                return
            self._last_attempt = self._monotonic()
            try:
                fresh = await self._fetch()
            except CodedError as error:
                _log.warning("keys not refreshed", code=error.code, peer="users")
                return
            self._last_success = self._monotonic()
            self._install(fresh)
            self._save(fresh)

    def _install(self, fresh: KeySet) -> None:
        keys: dict[str, jwt.PyJWK] = {}
        for item in fresh.keys:
            try:
                keys[item.kid] = jwt.PyJWK(msgspec.to_builtins(item), algorithm=ALGORITHM)
            except jwt.PyJWTError:
                _log.warning("key ignored", kid=item.kid)
        if not keys:
            return
        if set(keys) != set(self._keys):
            self._verified.clear()  # a withdrawn key must not live on in what we remember
        self._keys = keys

    def _decode(self, token: str, key: jwt.PyJWK) -> tuple[UserIdentity, float]:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY,
                options={
                    "require": ["sub", "exp", "iat", "role"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            identity = UserIdentity(
                id=UUID(str(claims["sub"])),
                role=str(claims["role"]),
                session=UUID(claims["sid"]) if "sid" in claims else None,
            )
        except (jwt.PyJWTError, ValueError):
            raise codes.UNAUTHENTICATED.error("The access token is not valid.") from None
        if identity.role not in ROLES:
            raise codes.UNAUTHENTICATED.error("The access token names an unknown role.")
        expires = float(claims["exp"]) + LEEWAY
        if expires <= self._now():
            raise codes.TOKEN_EXPIRED.error()
        return identity, expires

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            self._install(msgspec.json.decode(self._file.read_bytes(), type=KeySet))
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            _log.warning("kept keys not readable", error=type(error).__name__)

    def _save(self, fresh: KeySet) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".new")
            draft.write_bytes(msgspec.json.encode(fresh))
            draft.chmod(0o600)
            draft.replace(self._file)
        except OSError as error:
            _log.warning("keys not kept", error=type(error).__name__)
