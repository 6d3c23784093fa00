"""Profiles in the cache: what a user sees of themselves and counterparties see of a name.

Never credentials, never the role. Entries carry the user's version and a slower, older write loses.
After a change the new version is written over the old one, at once by whoever made the change, and
for certain by the refresher, which works off the orders that were committed with the changes. To
overwrite rather than delete is what keeps a slow reader from putting an old copy back.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from redis.asyncio import Redis
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis import logs
from chassis.cache import Cache, CacheMetrics
from chassis.database import autocommit, transaction
from resilience import Pipeline
from services.users import people
from services.users.contract import BankingDetails, Profile, PublicName, Role
from services.users.people import Person
from services.users.schema import cache_refreshes

NAMESPACE: Final = "user-profiles:1"
"""Name and format version: raise the number when `CachedProfile` changes its meaning."""

TTL: Final = 3600.0
"""Seconds that an entry lives."""

BATCH: Final = 100
"""Orders worked off at once."""

POLL: Final = 0.5
"""Seconds between looks at the orders: how long a change that missed the cache at once stays unseen."""

RETRY: Final = timedelta(seconds=2)
"""How long an order rests after the cache could not be told."""

MOOT_AFTER: Final = timedelta(seconds=2 * TTL)
"""When an order that could not be carried out is dropped: every entry that it was about has expired."""

_ANY_DUE = select(exists().where(cache_refreshes.c.next_attempt_at <= func.clock_timestamp()))
"""Asked first, as there is nothing to do most of the time and this takes one round trip."""

_log = logs.get("cache")


class CachedProfile(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A profile without the role, which is decided on and therefore never cached."""

    id: UUID
    email: str
    name: str
    address: str | None
    picture_url: str | None
    banking_details: BankingDetails | None
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, person: Person) -> "CachedProfile":
        return cls(
            id=person.id,
            email=person.email,
            name=person.name,
            address=person.address,
            picture_url=person.picture_url,
            banking_details=person.banking_details,
            active=person.active,
            version=person.version,
            created_at=person.created_at,
            updated_at=person.updated_at,
        )

    def profile(self, role: Role) -> Profile:
        """The whole profile; the role comes from a source of its own."""
        return Profile(
            id=self.id,
            email=self.email,
            name=self.name,
            address=self.address,
            picture_url=self.picture_url,
            banking_details=self.banking_details,
            role=role,
            active=self.active,
            version=self.version,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )

    def public_name(self) -> PublicName:
        return PublicName(id=self.id, name=self.name, version=self.version)


class ProfileCache:
    """Cache-aside over the users table; right without a cache, only slower."""

    def __init__(
        self,
        engine: AsyncEngine,
        redis: Redis | None,
        metrics: CacheMetrics,
        *,
        pipeline: Pipeline | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._cache = Cache(
            redis,
            NAMESPACE,
            CachedProfile,
            ttl=TTL,
            metrics=metrics,
            pipeline=pipeline,
            rng=rng,
        )

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, CachedProfile]:
        """Those of `ids` that exist, from the cache and, where it has none, from the database.

        Raises:
            DatabaseError: some are not cached and the database cannot be asked.
        """
        wanted = list(dict.fromkeys(ids))
        found = dict(zip(wanted, await self._cached(wanted), strict=True))
        missing = [user_id for user_id, entry in found.items() if entry is None]
        answer = {user_id: entry for user_id, entry in found.items() if entry is not None}
        if missing:
            async with autocommit(self._engine) as connection:
                persons = await people.by_ids(connection, missing)
            await self.put(persons.values())
            answer.update((person.id, CachedProfile.of(person)) for person in persons.values())
        return answer

    async def put(self, persons: Iterable[Person]) -> bool:
        """Offer rows just read or written to the cache. False when it could not be told."""
        entries = {str(person.id): (person.version, CachedProfile.of(person)) for person in persons}
        return not entries or await self._cache.set_many_if_newer(entries)

    async def _cached(self, ids: Sequence[UUID]) -> list[CachedProfile | None]:
        entries = await self._cache.get_many([str(user_id) for user_id in ids])
        return [entries.get(str(user_id)) for user_id in ids]


class CacheRefresher:
    """Works off the orders to renew cached profiles, again and again until the cache has taken them.

    An order is deleted in the transaction that read the row and told the cache, so a crash repeats it.
    """

    def __init__(self, engine: AsyncEngine, cache: ProfileCache) -> None:
        self._engine = engine
        self._cache = cache

    async def work(self) -> bool:
        """Carry out the orders that are due, up to `BATCH`; whether more may be waiting."""
        async with autocommit(self._engine) as connection:
            if not (await connection.execute(_ANY_DUE)).scalar_one():
                return False
        async with transaction(self._engine) as uow:
            due = await _take(uow.connection)
            if not due:
                return False
            persons = await people.by_ids(uow.connection, due)
            done = await self._cache.put(persons.values())
            await _settle(uow.connection, due, done=done)
            await uow.commit()
        if not done:
            _log.warning("cached profiles not renewed yet", count=len(due))
        return done and len(due) == BATCH


async def _take(connection: AsyncConnection) -> list[UUID]:
    order = cache_refreshes.c
    statement = (
        select(order.user_id)
        .where(order.next_attempt_at <= func.clock_timestamp())
        .order_by(order.next_attempt_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    return list((await connection.execute(statement)).scalars())


async def _settle(connection: AsyncConnection, due: Sequence[UUID], *, done: bool) -> None:
    """The rows are locked, so a later change of the same user waits, and then asks anew."""
    order = cache_refreshes.c
    ours = order.user_id.in_(due)
    if done:
        await connection.execute(delete(cache_refreshes).where(ours))
        return
    moot = order.asked_at < func.clock_timestamp() - MOOT_AFTER
    await connection.execute(delete(cache_refreshes).where(ours, moot))
    await connection.execute(
        update(cache_refreshes).where(ours).values(next_attempt_at=func.clock_timestamp() + RETRY)
    )
