"""PostgreSQL killed under the service: coded answers at once, and all is well when it is back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from baluarte import databases
from baluarte.migrate import migrate
from chassis.cache import open_redis
from chassis.errors import CodedError
from chassis.settings import Secret
from chassis.tokens import AccessTokens, KeySet, PublicKey
from services.users.contract import (
    GET_NAMES,
    GET_USERS,
    JWKS,
    LOGIN,
    REFRESH,
    UPDATE_PROFILE,
    GetJwks,
    GetUsers,
    Login,
    Refresh,
    UpdateProfile,
)
from tests.conftest import StartPostgres
from tests.services.users.conftest import one_key
from tests.services.users.running import PASSWORD, Users, running_users
from tests.waiting import eventually


async def code_of(users: Users, operation: object, request: object, **how: object) -> str:
    with pytest.raises(CodedError) as caught:
        await users.call(operation, request, **how)  # type: ignore[arg-type]
    return caught.value.code


async def verified(users: Users, token: str) -> str:
    """The role that an access token proves, by the keys that the service publishes now."""

    async def fetch() -> KeySet:
        answer = await users.call(JWKS, GetJwks())
        return KeySet(
            keys=[
                PublicKey(kid=key.kid, kty=key.kty, alg=key.alg, use=key.use, n=key.n, e=key.e)
                for key in answer.keys
            ]
        )

    return (await AccessTokens(fetch).verify(token)).role


async def from_the_cache(users: Users, operation: Any, request: Any, **how: Any) -> Any:
    """The answer; on a busy machine the cache may be late, and is then left alone for a moment."""

    async def answered() -> Any:
        try:
            return await users.call(operation, request, **how)
        except CodedError:
            return None

    return await eventually(answered, why="the cache answers in place of the database")


async def works(users: Users) -> bool:
    try:
        await users.call(LOGIN, Login(email="ana@example.com", password=PASSWORD))
    except CodedError:
        return False
    return True


async def test_postgres_killed_and_back(
    start_postgres: StartPostgres, valkey_url: str, tmp_path: Path
) -> None:
    """While the database is away: keys and cached profiles go on, the rest is refused in code; nothing
    that was confirmed is lost, and a refresh whose answer was lost is answered again."""
    server = await asyncio.to_thread(start_postgres)
    async with databases.connection(server.url, ssl=False) as connection:
        await connection.execute("CREATE DATABASE users")
    url = server.database_url("users")
    await migrate(url, "users")
    redis, patient = open_redis(Secret(valkey_url)), Redis.from_url(valkey_url)
    async with running_users(url, tmp_path, one_key, redis=redis) as users:
        ana = await users.register()
        read = GetUsers(ids=[ana.user.id])

        async def cached() -> int:
            await users.call(GET_USERS, read, token=ana.access_token)
            return int(await patient.exists(f"baluarte:user-profiles:1:{ana.user.id}"))

        await eventually(cached, why="the profile is cached")
        lost = await users.call(REFRESH, Refresh(refresh_token=ana.refresh_token))

        await asyncio.to_thread(server.kill)

        assert await verified(users, lost.access_token) == "customer"
        own = await from_the_cache(users, GET_USERS, read, token=ana.access_token)
        assert own.users == [ana.user]
        names = await from_the_cache(users, GET_NAMES, read, caller="transactions")
        assert names.names[0].name == "Ana"
        login = Login(email="ana@example.com", password=PASSWORD)
        assert await code_of(users, LOGIN, login) == "UNAVAILABLE"
        change = UpdateProfile(name="Eve")
        refused = await code_of(users, UPDATE_PROFILE, change, token=ana.access_token)
        assert refused == "UNAVAILABLE"
        async with users.session.get(f"{users.url}/health/ready") as response:
            assert response.status == 503
        async with users.session.get(f"{users.url}/health/live") as response:
            assert response.status == 200

        await asyncio.to_thread(server.start)

        await eventually(lambda: works(users), timeout=30)
        again = await users.call(REFRESH, Refresh(refresh_token=ana.refresh_token))
        assert again.user.name == "Ana"
        await users.call(REFRESH, Refresh(refresh_token=again.refresh_token))
        await eventually(lambda: users.bus.types_of(ana.user.id) == ["user.registered"], timeout=30)
    await redis.aclose()
    await patient.aclose()
