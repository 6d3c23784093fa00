"""The profile cache on a real Valkey: versions, a slow reader, a crash, and Valkey killed mid-way."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from baluarte.embedded.places import Places
from baluarte.embedded.ports import free_port
from baluarte.embedded.valkey import EmbeddedValkey
from chassis.cache import CacheMetrics, open_redis
from chassis.context import Call, UserIdentity
from chassis.database import transaction
from chassis.metrics import Metrics
from chassis.settings import Secret
from chassis.verdicts import judge
from resilience import Pipeline, PipelineOptions
from services.users import changes, people
from services.users.contract import GET_NAMES, GET_USERS, UPDATE_PROFILE, GetUsers, UpdateProfile
from services.users.people import NewPerson, Person
from services.users.profile_cache import TTL, CacheRefresher, ProfileCache
from services.users.profiles import UserProfiles
from tests import servers
from tests.services.users.conftest import one_key
from tests.services.users.running import running_users
from tests.waiting import eventually


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A connection to a real Valkey; patient, since most tests are about what is in it."""
    redis = Redis.from_url(valkey_url)
    yield redis
    await redis.aclose()


@pytest.fixture
async def cache(engine: AsyncEngine, redis: Redis) -> ProfileCache:
    """The cache on it; no policy gives up on a busy machine."""
    patient = Pipeline("valkey", PipelineOptions(), classifier=judge)
    metrics = CacheMetrics(Metrics(), ("user-profiles",))
    return ProfileCache(engine, redis, metrics, pipeline=patient)


async def add(engine: AsyncEngine, name: str = "Ana") -> Person:
    new = NewPerson(id=uuid4(), email=f"{uuid4()}@example.com", name=name, password_hash="none")
    async with transaction(engine) as uow:
        person = await people.add(uow.connection, new)
        await uow.commit()
    assert person is not None
    return person


async def rename(engine: AsyncEngine, person: Person, name: str) -> Person:
    """A change as the service commits it, up to the crash that follows."""
    call = Call.background("gateway")
    async with transaction(engine) as uow:
        await people.locked(uow.connection, person.id)
        changed = await people.change(uow.connection, person.id, {"name": name})
        event = changes.profile_updated(call, changed)
        await changes.record(uow.connection, changed, event)
        await uow.commit()
    return changed


async def orders(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT count(*) FROM cache_refreshes"))
        return int(found.scalar_one())


async def hide(engine: AsyncEngine) -> None:
    """Take the rows away, so that only the cache can answer."""
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO hidden"))


async def test_second_read_needs_no_database(engine: AsyncEngine, cache: ProfileCache) -> None:
    """What was read once is answered from the cache, for the owner and for counterparties."""
    ana = await add(engine)
    await cache.get([ana.id])
    await hide(engine)

    profiles = UserProfiles(engine, cache)
    identity = UserIdentity(ana.id, "customer")
    call = Call("0123456789", Call.background("gateway").deadline, "gateway", identity)
    answer = await profiles.get(call, GetUsers(ids=[ana.id]))
    names = await profiles.names(call, GetUsers(ids=[ana.id]))

    assert answer.users == [ana.profile()]
    assert names.names[0] is not None
    assert names.names[0].name == "Ana"


async def test_entry_holds_no_credential_and_no_role(
    engine: AsyncEngine, cache: ProfileCache, redis: Redis
) -> None:
    """Neither role nor password reach the cache, and every entry ends within the hour."""
    ana = await add(engine)
    key = f"baluarte:user-profiles:1:{ana.id}"
    await cache.get([ana.id])

    raw = await redis.hget(key, "d")
    assert isinstance(raw, bytes)
    assert b"role" not in raw
    assert b"password" not in raw
    assert 0 < await redis.ttl(key) <= TTL


async def test_slow_reader_cannot_bring_an_old_copy_back(
    engine: AsyncEngine, cache: ProfileCache
) -> None:
    """A row that was read before a change and is offered after it loses against the new version."""
    old = await add(engine)
    new = await rename(engine, old, "Ana Maria")
    await cache.put([new])

    await cache.put([old])

    assert (await cache.get([old.id]))[old.id].name == "Ana Maria"


async def test_crash_between_commit_and_cache(engine: AsyncEngine, cache: ProfileCache) -> None:
    """The order that was committed with the change renews the cache although its maker died."""
    ana = await add(engine)
    await cache.get([ana.id])
    await rename(engine, ana, "Ana Maria")
    assert (await cache.get([ana.id]))[ana.id].name == "Ana", "nobody told the cache yet"

    await CacheRefresher(engine, cache).work()

    assert (await cache.get([ana.id]))[ana.id].name == "Ana Maria"
    assert await orders(engine) == 0


async def test_orders_of_one_user_are_one(engine: AsyncEngine, cache: ProfileCache) -> None:
    """However often a user changes while the cache is away, one order waits."""
    ana = await add(engine)
    for number in range(3):
        await rename(engine, ana, f"Ana {number}")
    assert await orders(engine) == 1


async def test_moot_orders_are_dropped(engine: AsyncEngine) -> None:
    """An order older than any entry can be is forgotten, so that a lost cache leaves nothing behind."""
    ana = await add(engine)
    await rename(engine, ana, "Ana Maria")
    dead = ProfileCache(
        engine,
        open_redis(Secret("redis://127.0.0.1:1/0")),
        CacheMetrics(Metrics(), ("user-profiles",)),
    )
    refresher = CacheRefresher(engine, dead)
    assert not await refresher.work()
    assert await orders(engine) == 1
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE cache_refreshes SET asked_at = asked_at - interval '3 hours',"
                " next_attempt_at = clock_timestamp()"
            )
        )
    await refresher.work()
    assert await orders(engine) == 0


async def test_without_a_cache(engine: AsyncEngine) -> None:
    """With no Valkey configured every read is right and no order is left."""
    plain = ProfileCache(engine, None, CacheMetrics(Metrics(), ("user-profiles",)))
    ana = await add(engine)
    await rename(engine, ana, "Ana Maria")
    assert (await plain.get([ana.id, uuid4()]))[ana.id].name == "Ana Maria"
    await CacheRefresher(engine, plain).work()
    assert await orders(engine) == 0


class OwnValkey:
    """A Valkey of the test's own, to be killed and paused."""

    def __init__(self, directory: Path) -> None:
        self.embedded = EmbeddedValkey(Places(directory), free_port())
        self.embedded.prepare()
        self.server = servers.Server(self.embedded.command(), directory / "valkey.log")

    def start(self) -> None:
        self.server.start()
        self.server.wait_ready(self.embedded.is_ready, servers.START_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.server.pid, number)


@pytest.fixture
def own_valkey() -> Iterator[OwnValkey]:
    """A running Valkey that the test may hurt."""
    with servers.reachable_directory("own-valkey") as directory:
        own = OwnValkey(directory)
        own.start()
        yield own
        own.server.kill()


async def test_valkey_killed_and_back(
    database_url: str, engine: AsyncEngine, tmp_path: Path, own_valkey: OwnValkey
) -> None:
    """With Valkey killed mid-way reads and changes go on and are right; back, it gets the new version."""
    redis = open_redis(Secret(own_valkey.embedded.url))
    async with running_users(database_url, tmp_path, one_key, redis=redis) as users:
        ana = await users.register()
        read = GetUsers(ids=[ana.user.id])
        assert (await users.call(GET_USERS, read, token=ana.access_token)).users == [ana.user]
        await asyncio.to_thread(own_valkey.server.kill)

        change = UpdateProfile(name="Ana Maria")
        changed = await users.call(UPDATE_PROFILE, change, token=ana.access_token)

        for _ in range(3):
            found = await users.call(GET_USERS, read, token=ana.access_token)
            assert found.users == [changed.user]
        names = await users.call(GET_NAMES, read, caller="transactions")
        assert names.names[0].name == "Ana Maria"
        assert await orders(engine) == 1, "waits until the cache can be told"
        async with users.session.get(f"{users.url}/health/ready") as response:
            assert response.status == 200, "the cache is no condition for readiness"

        await asyncio.to_thread(own_valkey.start)
        await eventually(lambda: no_orders(engine), timeout=20)
        entry = await redis.hget(f"baluarte:user-profiles:1:{ana.user.id}", "d")
        assert b"Ana Maria" in (entry or b"")
    await redis.aclose()


async def test_valkey_paused_with_an_old_copy(
    database_url: str, engine: AsyncEngine, tmp_path: Path, own_valkey: OwnValkey
) -> None:
    """A Valkey that hangs through a change comes back with the old copy, which is then overwritten."""
    redis = open_redis(Secret(own_valkey.embedded.url))
    async with running_users(database_url, tmp_path, one_key, redis=redis) as users:
        ana = await users.register()
        read = GetUsers(ids=[ana.user.id])
        await users.call(GET_USERS, read, token=ana.access_token)
        own_valkey.signal(signal.SIGSTOP)
        try:
            change = UpdateProfile(name="Ana Maria")
            changed = await users.call(UPDATE_PROFILE, change, token=ana.access_token)
            found = await users.call(GET_USERS, read, token=ana.access_token)
            assert found.users == [changed.user]
        finally:
            own_valkey.signal(signal.SIGCONT)
        await eventually(lambda: no_orders(engine), timeout=20)
        found = await users.call(GET_USERS, read, token=ana.access_token)
        assert found.users == [changed.user]
    await redis.aclose()


async def no_orders(engine: AsyncEngine) -> bool:
    return await orders(engine) == 0
