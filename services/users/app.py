"""The users process: its parts, put together."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis.app import Handler, create_app
from chassis.bus import Bus
from chassis.cache import CacheMetrics, open_redis
from chassis.client import ServiceClient
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Verifier
from chassis.database import transaction
from chassis.faults.point import FaultPoint, token_clock, token_skew
from chassis.gate import Gate
from chassis.health import Registry
from chassis.keyset import KeySet
from chassis.messaging import queue_gauges, relay
from chassis.metrics import Metrics
from chassis.periodic import Periodic
from chassis.policies import CACHE, Policies
from chassis.process import Process, open_database
from chassis.settings import Settings
from chassis.tokens import AccessTokens
from chassis.workers import Worker
from services.users import contract, session_store
from services.users import settings as users_settings
from services.users.accounts import Accounts
from services.users.administration import Administration
from services.users.contract import SERVICE, GetJwks
from services.users.keys import RELOAD_EVERY, KeyRing, KeySource, new_key
from services.users.passwords import Passwords
from services.users.profile_cache import POLL, CacheRefresher, ProfileCache
from services.users.profiles import UserProfiles
from services.users.sealing import Seal
from services.users.sessions import SessionMetrics, Sessions
from services.users.settings import UsersSettings

POLICY_FILE = Path(__file__).with_name("policies.toml")
"""Every downstream of this process, its policies, and the reason for each number."""

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
    policies: Policies | None = None,
    faults: FaultPoint | None = None,
    key_source: KeySource = new_key,
) -> Starlette:
    """The app on the given bus, ledger and cache, which `registry` knows already.

    Args:
        policies: those of this process; None for those of its own file.
        faults: the fault point of this process, if it has one.
        ledger: None to leave the ledger to the events alone.
        key_source: makes signing keys; tests hand in one that is quick.
    """
    common = settings.common
    policies = policies or Policies.open(common, POLICY_FILE)
    metrics = policies.metrics
    engine = open_database(common, registry, policies)
    passwords = Passwords(settings.hashing)
    registry.register("passwords", close=passwords.close)
    _measure(passwords, metrics)
    keys = KeyRing(
        engine,
        Seal(settings.signing_secret),
        source=key_source,
        rotate_every=settings.rotate_every,
    )
    cache = ProfileCache(
        engine,
        redis,
        CacheMetrics(metrics, ("user-profiles",)),
        pipeline=policies.pipeline(CACHE),
    )
    accounts = Accounts(ledger)
    sessions = Sessions(
        engine, passwords, keys, accounts, SessionMetrics(metrics), skew=token_skew(faults)
    )
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
        faults=faults,
        gate=Gate(
            Verifier.load(common.keys_dir, SERVICE, now=token_clock(faults)),
            AccessTokens(keys.public_keys, now=token_clock(faults)),
        ),
        workers=[
            *policies.workers(),
            *_workers(engine, bus, keys, CacheRefresher(engine, cache), metrics),
        ],
    )


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    """The app and its settings, from the environment.

    Raises:
        SettingsError: the environment is not right.
    """
    settings = users_settings.read(environ)
    policies = Policies.open(settings.common, POLICY_FILE)
    process = Process(settings.common, policies)
    redis = open_redis(settings.common.redis_url) if settings.common.redis_url is not None else None
    if redis is not None:
        process.registry.register("valkey", ping=redis.ping, close=redis.aclose, required=False)
    app = build(
        settings,
        bus=process.bus,
        ledger=process.client("ledger"),
        redis=redis,
        registry=process.registry,
        policies=policies,
        faults=process.faults,
    )
    return app, settings.common


def _measure(passwords: Passwords, metrics: Metrics) -> None:
    waiting = metrics.gauge("users_password_hashing_waiting", "Passwords that wait or are hashed")
    waiting.set_function(lambda: passwords.waiting)


def _handlers(
    sessions: Sessions, profiles: UserProfiles, administration: Administration, keys: KeyRing
) -> Mapping[Operation[Any, Any], Handler]:
    async def jwks(_: Call, __: GetJwks) -> KeySet:
        return await keys.public_keys()

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
        queue_gauges(bus, metrics),
        Periodic("signing keys", keep_keys, every=RELOAD_EVERY),
        Periodic("cache refresher", refresher.work, every=POLL),
        Periodic("expired sessions", prune, every=PRUNE_EVERY),
    ]
