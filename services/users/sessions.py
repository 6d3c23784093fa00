"""Signing up, in, on and out: registration, login, refresh and logout."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import codes, logs
from chassis.context import Call
from chassis.contract import Nothing
from chassis.database import autocommit, transaction
from chassis.errors import CodedError
from chassis.metrics import Metrics
from services.users import access, changes, families, people, session_store
from services.users.accounts import Accounts
from services.users.contract import Login, Logout, Refresh, Register, Session
from services.users.families import EndReason, Verdict
from services.users.key_plan import ACCESS_LIFETIME
from services.users.keys import KeyRing
from services.users.passwords import Passwords
from services.users.people import NewPerson, Person
from services.users.session_store import Owner

_log = logs.get("sessions")


class SessionMetrics:
    """Counts what became of attempts to sign in and to refresh."""

    def __init__(self, metrics: Metrics) -> None:
        self.logins = metrics.counter(
            "users_logins_total",
            "Sign-ins by outcome",
            outcome=("ok", "invalid", "inactive"),
        )
        self.refreshes = metrics.counter(
            "users_refreshes_total",
            "Presented refresh tokens by verdict",
            verdict=tuple(verdict.value for verdict in Verdict),
        )


@dataclass(frozen=True, slots=True)
class _Grant:
    """A refresh token that was stored, and what an access token beside it says."""

    token: str
    family_id: UUID
    now: datetime
    expires_at: datetime


class Sessions:
    """The operations under `/v1/sessions`.

    Args:
        new_token: makes refresh tokens.
        skew: seconds by which access tokens are dated ahead of the database's clock; a fault on purpose.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        passwords: Passwords,
        keys: KeyRing,
        accounts: Accounts,
        metrics: SessionMetrics,
        *,
        new_token: Callable[[], str] = families.new_token,
        skew: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._engine = engine
        self._passwords = passwords
        self._keys = keys
        self._accounts = accounts
        self._metrics = metrics
        self._new_token = new_token
        self._skew = skew

    async def register(self, call: Call, request: Register) -> Session:
        """Create a customer and sign them in.

        Raises:
            CodedError: EMAIL_TAKEN, PASSWORD_HASHING_BUSY.
        """
        password_hash = await self._passwords.hash(request.password)
        new = NewPerson(
            id=uuid4(),
            email=request.email,
            name=request.name,
            password_hash=password_hash,
            address=request.address,
            picture_url=request.picture_url,
        )
        await self._keys.ready()
        async with transaction(self._engine) as uow:
            person = await people.add(uow.connection, new)
            if person is None:
                raise codes.EMAIL_TAKEN.error(field="email")
            await changes.announce(uow.connection, changes.registered(call, person))
            session = await self._sign_in(uow.connection, person)
            await uow.commit()
        _log.info("user registered", userId=person.id)
        await self._accounts.open(call, person.id)
        return session

    async def login(self, _: Call, request: Login) -> Session:
        """Check credentials and open a session. As slow for unknown users as for wrong passwords.

        Raises:
            CodedError: INVALID_CREDENTIALS, USER_INACTIVE, PASSWORD_HASHING_BUSY.
        """
        async with autocommit(self._engine) as connection:
            found = await people.by_email(connection, request.email)
        stored = found[1] if found else None
        matches = await self._passwords.verify(stored, request.password)
        if found is None or stored is None or not matches:
            self._metrics.logins.labels("invalid").inc()
            raise codes.INVALID_CREDENTIALS.error()
        await self._renew_hash(found[0].id, stored, request.password)
        await self._keys.ready()
        async with transaction(self._engine) as uow:
            person = await people.held(uow.connection, found[0].id)
            if person is None or not person.active:
                self._metrics.logins.labels("inactive").inc()
                raise codes.USER_INACTIVE.error()
            session = await self._sign_in(uow.connection, person)
            await uow.commit()
        self._metrics.logins.labels("ok").inc()
        return session

    async def refresh(self, _: Call, request: Refresh) -> Session:
        """Exchange a refresh token for new tokens. See `families` for what a used one means.

        Raises:
            CodedError: REFRESH_TOKEN_INVALID, REFRESH_TOKEN_REUSED, USER_INACTIVE.
        """
        presented = families.hash_of(request.refresh_token)
        await self._keys.ready()
        async with transaction(self._engine) as uow:
            owner = await session_store.owner_of(uow.connection, presented)
            person = await people.held(uow.connection, owner.user_id) if owner else None
            if owner is None or person is None:
                raise self._refused(Verdict.INVALID)
            verdict, grant = await self._present(uow.connection, owner, presented, person)
            session = self._session(person, grant) if grant else None
            await uow.commit()  # a reuse is committed too: it ends the family
        if session is None:
            _log.warning("session ended", userId=person.id, reason=verdict.value)
            raise self._refused(verdict)
        self._metrics.refreshes.labels(verdict.value).inc()
        return session

    async def logout(self, _: Call, request: Logout) -> Nothing:
        """End the session of a refresh token, whichever of its tokens that is."""
        presented = families.hash_of(request.refresh_token)
        async with transaction(self._engine) as uow:
            owner = await session_store.owner_of(uow.connection, presented)
            if owner is not None:
                await session_store.end_family(uow.connection, owner.family_id, EndReason.LOGOUT)
                await uow.commit()
        return Nothing()

    def _refused(self, verdict: Verdict) -> CodedError:
        self._metrics.refreshes.labels(verdict.value).inc()
        if verdict is Verdict.REUSED:
            return codes.REFRESH_TOKEN_REUSED.error()
        return codes.REFRESH_TOKEN_INVALID.error()

    async def _sign_in(self, connection: AsyncConnection, person: Person) -> Session:
        """Open a family for a user whose row this transaction holds."""
        token, family_id = self._new_token(), uuid4()
        opened = await session_store.open_family(
            connection, family_id, person.id, families.hash_of(token)
        )
        return self._session(person, _Grant(token, family_id, opened.now, opened.expires_at))

    async def _present(
        self, connection: AsyncConnection, owner: Owner, presented: bytes, person: Person
    ) -> tuple[Verdict, _Grant | None]:
        """Judge a token under its family's lock and act on it; no grant means that the family ended."""
        began = await session_store.lock_family(connection, owner.family_id)
        found = await session_store.presented(connection, presented)
        if began is None or found is None:
            raise self._refused(Verdict.INVALID)
        token, now = found
        verdict = families.judge(token, now)
        if verdict is Verdict.INVALID:
            raise self._refused(verdict)
        if verdict is Verdict.REUSED:
            await session_store.end_family(connection, owner.family_id, EndReason.REUSE)
            return verdict, None
        if not person.active:
            raise codes.USER_INACTIVE.error()
        fresh = self._new_token()
        store = session_store.rotate if verdict is Verdict.ROTATE else session_store.replace
        expires_at = families.expiry(began, now)
        await store(
            connection, owner, presented, families.hash_of(fresh), now=now, expires_at=expires_at
        )
        return verdict, _Grant(fresh, owner.family_id, now, expires_at)

    def _session(self, person: Person, grant: _Grant) -> Session:
        """Sign before COMMIT: a token that cannot be signed must not use the old one up."""
        now = grant.now + timedelta(seconds=self._skew())
        signed = self._keys.sign(access.claims(person.id, person.role, grant.family_id, now))
        return Session(
            user=person.profile(),
            access_token=signed,
            access_expires_in=int(ACCESS_LIFETIME.total_seconds()),
            refresh_token=grant.token,
            refresh_expires_in=int((grant.expires_at - grant.now).total_seconds()),
        )

    async def _renew_hash(self, user_id: UUID, stored: str, password: str) -> None:
        """Hash anew with today's parameters; whatever goes wrong, the login goes on."""
        if not self._passwords.is_outdated(stored):
            return
        try:
            renewed = await self._passwords.hash(password)
            async with transaction(self._engine) as uow:
                await people.set_password_hash(uow.connection, user_id, old=stored, new=renewed)
                await uow.commit()
        except CodedError as error:
            _log.warning("password hash not renewed", userId=user_id, code=error.code)
