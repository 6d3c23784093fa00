"""The notifications process: its parts, put together."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis import messages
from chassis.app import create_app
from chassis.bus import Bus
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.credentials import Credentials, Verifier
from chassis.database import create_engine, ping, transaction
from chassis.gate import Gate
from chassis.health import Registry
from chassis.messaging import bus_of, consumers, relay
from chassis.metrics import Metrics
from chassis.periodic import Periodic
from chassis.settings import Settings
from chassis.tokens import AccessTokens, FetchKeys, KeySet, PublicKey
from chassis.workers import Worker
from services.notifications import settings as notifications_settings
from services.notifications import store
from services.notifications.channels import registry as channel_registry
from services.notifications.channels.port import Channel
from services.notifications.contract import LIST_NOTIFICATIONS, SERVICE
from services.notifications.delivery import POLL, Deliveries, DeliveryMetrics
from services.notifications.history import History
from services.notifications.intake import Intake
from services.notifications.settings import KNOWN_CHANNELS, NotificationsSettings
from services.users.contract import JWKS, GetJwks

TOPICS = (messages.USER_EVENTS, messages.TRANSACTION_EVENTS)

PRUNE_EVERY = 3600.0
"""Seconds between looks for notifications that are older than the history is kept."""

PRUNE_BATCH = 500
"""Notifications deleted in one transaction."""

KEYS_TIMEOUT = 2.0
"""Seconds to get the public keys of the users service; the last good ones serve meanwhile."""


def build(
    settings: NotificationsSettings,
    *,
    bus: Bus,
    channels: Mapping[str, Channel],
    tokens: AccessTokens,
    registry: Registry,
) -> Starlette:
    """The app on the given bus and channels, which `registry` knows already."""
    common, metrics = settings.common, Metrics()
    engine = _open_database(common, registry)
    deliveries = Deliveries(engine, channels, DeliveryMetrics(metrics, KNOWN_CHANNELS))
    handlers = Intake(settings.channels).handlers()
    return create_app(
        service=SERVICE,
        handlers={LIST_NOTIFICATIONS: History(engine).page},
        registry=registry,
        metrics=metrics,
        gate=Gate(Verifier.load(common.keys_dir, SERVICE), tokens),
        workers=[
            relay(engine, bus, metrics),
            *consumers(engine, bus, SERVICE, TOPICS, handlers, metrics),
            Periodic("deliveries", deliveries.work, every=POLL),
            _pruner(engine, settings.retention_days),
        ],
    )


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    """The app and its settings, from the environment.

    Raises:
        SettingsError: the environment is not right.
    """
    settings = notifications_settings.read(environ)
    common = settings.common
    credentials = Credentials.load(common.keys_dir, SERVICE)
    bus = bus_of(common)
    registry = Registry()
    registry.register("bus", ping=bus.ping, close=bus.close, required=False)
    session = open_session()
    registry.register("http", close=session.close)
    users = ServiceClient("users", common.peers["users"], session=session, credentials=credentials)
    app = build(
        settings,
        bus=bus,
        channels=channel_registry.make(settings, session),
        tokens=AccessTokens(_keys_from(users), file=common.state_dir / f"{SERVICE}-user-keys.json"),
        registry=registry,
    )
    return app, common


def _keys_from(users: ServiceClient) -> FetchKeys:
    async def fetch() -> KeySet:
        call = Call.background(SERVICE, seconds=KEYS_TIMEOUT)
        answer = await users.call(call, JWKS, GetJwks())
        return KeySet(
            keys=[
                PublicKey(kid=key.kid, kty=key.kty, alg=key.alg, use=key.use, n=key.n, e=key.e)
                for key in answer.keys
            ]
        )

    return fetch


def _open_database(common: Settings, registry: Registry) -> AsyncEngine:
    if common.database_url is None:
        raise ValueError("the notifications service needs its database")
    engine = create_engine(common.database_url.reveal(), application_name=SERVICE)
    registry.register("postgres", ping=lambda: ping(engine), close=engine.dispose)
    return engine


def _pruner(engine: AsyncEngine, days: int) -> Worker:
    async def prune() -> bool:
        async with transaction(engine) as uow:
            done = await store.prune(uow.connection, days=days, limit=PRUNE_BATCH)
            await uow.commit()
        return done >= PRUNE_BATCH

    return Periodic("old notifications", prune, every=PRUNE_EVERY)
