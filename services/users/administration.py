"""What only admins and the operator do: activation, and users with a role at set-up."""

from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes, logs
from chassis.context import Call
from chassis.database import UniqueViolation, autocommit, transaction
from services.users import changes, people, session_store
from services.users.accounts import Accounts
from services.users.contract import ProfileAnswer, Role, SeedUser, SetUserActive
from services.users.families import EndReason
from services.users.passwords import Passwords
from services.users.people import NewPerson, Person
from services.users.profile_cache import ProfileCache
from services.users.profiles import identity, require_active

_log = logs.get("administration")


class Administration:
    """Activation and seeding."""

    def __init__(
        self,
        engine: AsyncEngine,
        passwords: Passwords,
        accounts: Accounts,
        cache: ProfileCache,
    ) -> None:
        self._engine = engine
        self._passwords = passwords
        self._accounts = accounts
        self._cache = cache

    async def set_active(self, call: Call, request: SetUserActive) -> ProfileAnswer:
        """Activate or deactivate a user. Deactivation ends their sessions at once.

        Raises:
            CodedError: FORBIDDEN, USER_INACTIVE, USER_NOT_FOUND.
        """
        admin = identity(call)
        if not admin.is_admin:
            raise codes.FORBIDDEN.error()
        if admin.id == request.user_id:
            raise codes.FORBIDDEN.error("Admins cannot change their own activation.")
        person, changed = await self._set_active(call, request)
        if changed:
            _log.info("activation changed", userId=person.id, state=str(person.active))
            await self._cache.put([person])
            await self._accounts.set_active(call, person.id, active=person.active)
        return ProfileAnswer(user=person.profile())

    async def _set_active(self, call: Call, request: SetUserActive) -> tuple[Person, bool]:
        async with transaction(self._engine) as uow:
            # Rows are locked in the order of their ids: two admins may act on each other.
            ids = sorted((identity(call).id, request.user_id))
            rows = {user_id: await people.locked(uow.connection, user_id) for user_id in ids}
            if require_active(rows[identity(call).id]).role is not Role.ADMIN:
                raise codes.FORBIDDEN.error()
            before = rows[request.user_id]
            if before is None:
                raise codes.USER_NOT_FOUND.error(field="userId")
            if before.active == request.active:
                return before, False
            person = await people.change(
                uow.connection, request.user_id, {"active": request.active}
            )
            if not person.active:
                await session_store.end_all_of(uow.connection, person.id, EndReason.DEACTIVATION)
            await changes.record(uow.connection, person, changes.activation_updated(call, person))
            await uow.commit()
        return person, True

    async def seed(self, call: Call, request: SeedUser) -> ProfileAnswer:
        """Create a user with a role, or answer the one that has this address, unchanged.

        Raises:
            CodedError: BANKING_DETAILS_TAKEN, PASSWORD_HASHING_BUSY.
        """
        person = await self._existing(request)
        if person is None:
            person = await self._create(call, request)
        await self._accounts.open(call, person.id)
        return ProfileAnswer(user=person.profile())

    async def _existing(self, request: SeedUser) -> Person | None:
        async with autocommit(self._engine) as connection:
            found = await people.by_email(connection, request.email)
        return found[0] if found else None

    async def _create(self, call: Call, request: SeedUser) -> Person:
        new = NewPerson(
            id=uuid4(),
            email=request.email,
            name=request.name,
            password_hash=await self._passwords.hash(request.password),
            role=request.role,
            banking_details=request.banking_details,
        )
        try:
            async with transaction(self._engine) as uow:
                person = await people.add(uow.connection, new)
                if person is not None:
                    await changes.announce(uow.connection, changes.registered(call, person))
                    await uow.commit()
                    return person
        except UniqueViolation:
            raise codes.BANKING_DETAILS_TAKEN.error(field="bankingDetails") from None
        existing = await self._existing(request)  # somebody was faster
        if existing is None:
            raise codes.UNAVAILABLE.error("The user was removed meanwhile.", retry_after=1.0)
        return existing
