"""Reading and changing profiles, with who may."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes
from chassis.context import Call, UserIdentity
from chassis.database import UniqueViolation, autocommit, transaction
from chassis.messages import Event
from chassis.paging import decode_cursor, encode_cursor
from services.users import changes, emails, people
from services.users.contract import (
    GetUsers,
    ListUsers,
    Names,
    Profile,
    ProfileAnswer,
    Profiles,
    Role,
    UpdateBankingDetails,
    UpdateProfile,
    UserPage,
)
from services.users.people import BANK_ACCOUNT_CONSTRAINT, EMAIL_CONSTRAINT, Person
from services.users.profile_cache import ProfileCache

EventOf = Callable[[Call, Person], Event]

OPERATOR = "baluarte"
"""The principal of the command line, which sees every profile."""

NAME_READERS = frozenset({"transactions", "notifications", OPERATOR})
"""Services that read names for their own work, with no user behind it."""


def identity(call: Call) -> UserIdentity:
    """The signed-in user of an operation that requires one."""
    if call.user is None:
        raise codes.UNAUTHENTICATED.error()
    return call.user


def require_active(person: Person | None) -> Person:
    """The row of somebody who changes something: an access token may outlive its user's rights."""
    if person is None:
        raise codes.USER_NOT_FOUND.error()
    if not person.active:
        raise codes.USER_INACTIVE.error()
    return person


class UserProfiles:
    """The operations under `/v1/users` that people use for themselves, and the readers."""

    def __init__(self, engine: AsyncEngine, cache: ProfileCache) -> None:
        self._engine = engine
        self._cache = cache

    async def get(self, call: Call, request: GetUsers) -> Profiles:
        """Profiles by id: for their owner from the cache, for staff and the operator from the rows."""
        if call.service == OPERATOR or (call.user is not None and call.user.is_staff):
            async with autocommit(self._engine) as connection:
                rows = await people.by_ids(connection, request.ids)
            found = {person.id: person.profile() for person in rows.values()}
        else:
            found = await self._own(call.user, request.ids)
        return Profiles(users=[found.get(user_id) for user_id in request.ids])

    async def _own(self, user: UserIdentity | None, ids: list[UUID]) -> dict[UUID, Profile]:
        if user is None or user.id not in ids:
            return {}
        entries = await self._cache.get([user.id])
        # The role is never cached; the one that the token proves is what the caller acts with.
        return {user_id: entry.profile(Role(user.role)) for user_id, entry in entries.items()}

    async def names(self, call: Call, request: GetUsers) -> Names:
        """Names by id, for any signed-in user and for the named services."""
        if call.user is None and call.service not in NAME_READERS:
            return Names(names=[None] * len(request.ids))
        entries = await self._cache.get(request.ids)
        names = {user_id: entry.public_name() for user_id, entry in entries.items()}
        return Names(names=[names.get(user_id) for user_id in request.ids])

    async def page(self, call: Call, request: ListUsers) -> UserPage:
        """A page of all users, newest first.

        Raises:
            CodedError: FORBIDDEN, INVALID_INPUT.
        """
        if not identity(call).is_staff:
            raise codes.FORBIDDEN.error()
        if request.search is not None and "\x00" in request.search:
            raise codes.INVALID_INPUT.error("The text has a NUL character.", field="search")
        after = decode_cursor(request.after) if request.after is not None else None
        async with autocommit(self._engine) as connection:
            rows = await people.page(
                connection, limit=request.first + 1, after=after, search=request.search
            )
        shown = rows[: request.first]
        more = len(rows) > len(shown)
        return UserPage(
            users=[person.profile() for person in shown],
            next=encode_cursor(shown[-1].created_at, shown[-1].id) if more else None,
        )

    async def update(self, call: Call, request: UpdateProfile) -> ProfileAnswer:
        """Change one's own profile; what is left out stays.

        Raises:
            CodedError: EMAIL_TAKEN, USER_INACTIVE, USER_NOT_FOUND.
        """
        values = _profile_columns(request)
        return await self._change(call, values, changes.profile_updated)

    async def update_banking_details(
        self, call: Call, request: UpdateBankingDetails
    ) -> ProfileAnswer:
        """Change one's own banking details.

        Raises:
            CodedError: BANKING_DETAILS_TAKEN, USER_INACTIVE, USER_NOT_FOUND.
        """
        values = people.bank_columns(request.banking_details)
        return await self._change(call, values, changes.banking_details_updated)

    async def _change(self, call: Call, values: dict[str, Any], event: EventOf) -> ProfileAnswer:
        user_id = identity(call).id
        try:
            async with transaction(self._engine) as uow:
                before = require_active(await people.locked(uow.connection, user_id))
                if _changes_nothing(before, values):
                    return ProfileAnswer(user=before.profile())
                person = await people.change(uow.connection, user_id, values)
                await changes.record(uow.connection, person, event(call, person))
                await uow.commit()
        except UniqueViolation as error:
            raise _taken(error) from None
        await self._cache.put([person])
        return ProfileAnswer(user=person.profile())


def _profile_columns(request: UpdateProfile) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if not isinstance(request.name, msgspec.UnsetType):
        values["name"] = request.name
    if not isinstance(request.email, msgspec.UnsetType):
        values |= people.email_columns(request.email)
    if not isinstance(request.address, msgspec.UnsetType):
        values["address"] = request.address or None
    if not isinstance(request.picture_url, msgspec.UnsetType):
        values["picture_url"] = request.picture_url
    return values


def _changes_nothing(person: Person, values: dict[str, Any]) -> bool:
    banking = people.bank_columns(person.banking_details) if person.banking_details else {}
    current = {
        "name": person.name,
        "email": person.email,
        "email_key": emails.key_of(person.email),
        "address": person.address,
        "picture_url": person.picture_url,
        **banking,
    }
    return all(name in current and current[name] == value for name, value in values.items())


def _taken(error: UniqueViolation) -> Exception:
    if error.constraint == EMAIL_CONSTRAINT:
        return codes.EMAIL_TAKEN.error(field="email")
    if error.constraint == BANK_ACCOUNT_CONSTRAINT:
        return codes.BANKING_DETAILS_TAKEN.error(field="bankingDetails")
    return error
