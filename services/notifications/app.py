"""The notifications process: its parts, put together."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis import messages
from chassis.app import create_app
from chassis.bus import Bus
from chassis.credentials import Verifier
from chassis.database import transaction
from chassis.faults.point import FaultPoint, token_clock
from chassis.gate import Gate
from chassis.health import Registry
from chassis.messaging import consumers, queue_gauges, relay
from chassis.periodic import Periodic
from chassis.policies import Policies
from chassis.process import Process, open_database
from chassis.settings import Settings
from chassis.tokens import AccessTokens
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
from services.users.contract import JWKS

TOPICS = (messages.USER_EVENTS, messages.TRANSACTION_EVENTS)

POLICY_FILE = Path(__file__).with_name("policies.toml")
"""Every downstream of this process, its policies, and the reason for each number."""

PRUNE_EVERY = 3600.0
"""Seconds between looks for notifications that are older than the history is kept."""

PRUNE_BATCH = 500
"""Notifications deleted in one transaction."""


def build(
    settings: NotificationsSettings,
    *,
    bus: Bus,
    channels: Mapping[str, Channel],
    tokens: AccessTokens,
    registry: Registry,
    policies: Policies | None = None,
    faults: FaultPoint | None = None,
) -> Starlette:
    """The app on the given bus and channels, which `registry` knows already.

    Args:
        policies: those of this process; None for those of its own file.
        faults: the fault point of this process, if it has one.
    """
    common = settings.common
    policies = policies or Policies.open(common, POLICY_FILE)
    metrics = policies.metrics
    engine = open_database(common, registry, policies)
    deliveries = Deliveries(engine, channels, DeliveryMetrics(metrics, KNOWN_CHANNELS))
    handlers = Intake(settings.channels).handlers()
    return create_app(
        service=SERVICE,
        handlers={LIST_NOTIFICATIONS: History(engine).page},
        registry=registry,
        metrics=metrics,
        faults=faults,
        gate=Gate(Verifier.load(common.keys_dir, SERVICE, now=token_clock(faults)), tokens),
        workers=[
            *policies.workers(),
            relay(engine, bus, metrics),
            queue_gauges(bus, metrics),
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
    policies = Policies.open(common, POLICY_FILE)
    process = Process(common, policies)
    app = build(
        settings,
        bus=process.bus,
        channels=channel_registry.make(settings, process.session, policies),
        tokens=process.access_tokens(JWKS),
        registry=process.registry,
        policies=policies,
        faults=process.faults,
    )
    return app, common


def _pruner(engine: AsyncEngine, days: int) -> Worker:
    async def prune() -> bool:
        async with transaction(engine) as uow:
            done = await store.prune(uow.connection, days=days, limit=PRUNE_BATCH)
            await uow.commit()
        return done >= PRUNE_BATCH

    return Periodic("old notifications", prune, every=PRUNE_EVERY)
