"""The users process: its parts, put together."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis.app import Handler, create_app
from chassis.bus import Bus
from chassis.cache import CacheMetrics, open_redis
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials, Verifier
from chassis.database import create_engine, ping, transaction
from chassis.gate import Gate
from chassis.health import Registry
from chassis.messaging import bus_of, relay
from chassis.metrics import Metrics
from chassis.periodic import Periodic
from chassis.settings import Settings
from chassis.tokens import AccessTokens
from chassis.workers import Worker
from services.users import contract, session_store
from services.users import settings as users_settings
from services.users.accounts import Accounts
from services.users.administration import Administration
from services.users.contract import SERVICE, GetJwks, Jwk, Jwks
from services.users.keys import RELOAD_EVERY, KeyRing, KeySource, new_key
from services.users.passwords import Passwords
from services.users.profile_cache import POLL, CacheRefresher, ProfileCache
from services.users.profiles import UserProfiles
from services.users.sealing import Seal
from services.users.sessions import SessionMetrics, Sessions
from services.users.settings import UsersSettings

PRUNE_EVERY = 600.0
"""Seconds between looks for expired sessions."""

PRUNE_BATCH = 500
"""Rows of expired sessions deleted in one transaction."""

KEEP_EXPIRED = timedelta(days=1)
"""How long an expired refresh token is still known, for whoever looks into an incident."""


def build(
    settings: UsersSettings,
    *,
    bus: Bus,
    ledger: ServiceClient | None,
    redis: Redis | None,
    registry: Registry,
    key_source: KeySource = new_key,
) -> Starlette:
    """The app on the given bus, ledger and cache, which `registry` knows already.

    Args:
        ledger: None to leave the ledger to the events alone.
        key_source: makes signing keys; tests hand in one that is quick.
    """
    common, metrics = settings.common, Metrics()
    engine = _open_database(common, registry)
    passwords = Passwords(settings.hashing)
    registry.register("passwords", close=passwords.close)
    _measure(passwords, metrics)
    keys = KeyRing(
        engine,
        Seal(settings.signing_secret),
        source=key_source,
        rotate_every=settings.rotate_every,
    )
    cache = ProfileCache(engine, redis, CacheMetrics(metrics, ("user-profiles",)))
    accounts = Accounts(ledger)
    sessions = Sessions(engine, passwords, keys, accounts, SessionMetrics(metrics))
    return create_app(
        service=SERVICE,
        handlers=_handlers(
            sessions,
            UserProfiles(engine, cache),
            Administration(engine, passwords, accounts, cache),
            keys,
        ),
        registry=registry,
        metrics=metrics,
        gate=Gate(Verifier.load(common.keys_dir, SERVICE), AccessTokens(keys.public_keys)),
        workers=_workers(engine, bus, keys, CacheRefresher(engine, cache), metrics),
    )


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    """The app and its settings, from the environment.

    Raises:
        SettingsError: the environment is not right.
    """
    settings = users_settings.read(environ)
    common = settings.common
    credentials = Credentials.load(common.keys_dir, SERVICE)
    bus = bus_of(common)
    registry = Registry()
    registry.register("bus", ping=bus.ping, close=bus.close, required=False)
    redis = open_redis(common.redis_url) if common.redis_url is not None else None
    if redis is not None:
        registry.register("valkey", ping=redis.ping, close=redis.aclose, required=False)
    session = open_session()
    registry.register("http", close=session.close)
    ledger = ServiceClient(
        "ledger", common.peers["ledger"], session=session, credentials=credentials
    )
    return build(settings, bus=bus, ledger=ledger, redis=redis, registry=registry), common


def _open_database(common: Settings, registry: Registry) -> AsyncEngine:
    if common.database_url is None:
        raise ValueError("the users service needs its database")
    engine = create_engine(common.database_url.reveal(), application_name=SERVICE)
    registry.register("postgres", ping=lambda: ping(engine), close=engine.dispose)
    return engine


def _measure(passwords: Passwords, metrics: Metrics) -> None:
    waiting = metrics.gauge("users_password_hashing_waiting", "Passwords that wait or are hashed")
    waiting.set_function(lambda: passwords.waiting)


def _handlers(
    sessions: Sessions, profiles: UserProfiles, administration: Administration, keys: KeyRing
) -> Mapping[Operation[Any, Any], Handler]:
    async def jwks(_: Call, __: GetJwks) -> Jwks:
        published = await keys.public_keys()
        return Jwks(
            keys=[
                Jwk(kid=key.kid, kty=key.kty, alg=key.alg, use=key.use, n=key.n, e=key.e)
                for key in published.keys
            ]
        )

    return {
        contract.REGISTER: sessions.register,
        contract.LOGIN: sessions.login,
        contract.REFRESH: sessions.refresh,
        contract.LOGOUT: sessions.logout,
        contract.GET_USERS: profiles.get,
        contract.GET_NAMES: profiles.names,
        contract.LIST_USERS: profiles.page,
        contract.UPDATE_PROFILE: profiles.update,
        contract.UPDATE_BANKING_DETAILS: profiles.update_banking_details,
        contract.SET_USER_ACTIVE: administration.set_active,
        contract.SEED_USER: administration.seed,
        contract.JWKS: jwks,
    }


def _workers(
    engine: AsyncEngine, bus: Bus, keys: KeyRing, refresher: CacheRefresher, metrics: Metrics
) -> list[Worker]:
    async def keep_keys() -> bool:
        await keys.refresh()
        return False

    async def prune() -> bool:
        async with transaction(engine) as uow:
            done = await session_store.prune(uow.connection, limit=PRUNE_BATCH, keep=KEEP_EXPIRED)
            await uow.commit()
        return done >= PRUNE_BATCH

    return [
        relay(engine, bus, metrics),
        Periodic("signing keys", keep_keys, every=RELOAD_EVERY),
        Periodic("cache refresher", refresher.work, every=POLL),
        Periodic("expired sessions", prune, every=PRUNE_EVERY),
    ]
