"""What every service process opens, registered for health and shutdown where it is opened.

A composition root takes a `Process`, adds what is its own, and hands all to `create_app`.
"""

from typing import Any, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.bus import Bus
from chassis.bus.guarded import GuardedBus
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials
from chassis.database import POOL_SIZE, create_engine, ping
from chassis.faults.bus import faulty
from chassis.faults.point import FaultPoint, token_clock
from chassis.health import Registry
from chassis.keyset import KeySet
from chassis.messaging import bus_of
from chassis.policies import BUS, DATABASE, Policies
from chassis.settings import Settings, SettingsError
from chassis.tokens import AccessTokens, FetchKeys

Req = TypeVar("Req", bound=msgspec.Struct)

KEYS_SECONDS = 2.0
"""Seconds to get the public keys of the users service; the last good ones serve meanwhile."""


class Process:
    """The parts that services share. Nothing connects until it is used.

    Args:
        policies: the process' own, which name everything that is opened here.

    Attributes:
        bus: where events go and come from; its absence stops no request.
        registry: knows all that was opened here.
        faults: the fault point, where the settings want one; to be handed to `create_app`.
    """

    def __init__(self, settings: Settings, policies: Policies) -> None:
        self.settings = settings
        self.policies = policies
        self.registry = Registry()
        self.registry.register("policies", close=policies.close)
        self.faults = FaultPoint.of(settings, policies.metrics)
        self._now = token_clock(self.faults)
        self.credentials = Credentials.load(settings.keys_dir, settings.service, now=self._now)
        bus = faulty(bus_of(settings), self.faults)
        self.bus: Bus = GuardedBus(bus, policies.pipeline(BUS))
        self.registry.register("bus", ping=self.bus.ping, close=self.bus.close, required=False)
        self.session = open_session()
        self.registry.register("http", close=self.session.close)

    def client(self, peer: str) -> ServiceClient:
        """A client of another service, at the addresses in the settings."""
        return ServiceClient(
            peer,
            self.settings.peers[peer],
            session=self.session,
            credentials=self.credentials,
            pipeline=self.policies.pipeline(peer),
        )

    def access_tokens(self, publish: Operation[Any, KeySet]) -> AccessTokens:
        """Verifies users' tokens by the keys that `publish` answers, kept over restarts."""
        name = f"{self.settings.service}-user-keys.json"
        fetch = keys_from(self.client(publish.service), publish, self.settings.service)
        return AccessTokens(fetch, file=self.settings.state_dir / name, now=self._now)


def keys_from(client: ServiceClient, publish: Operation[Any, KeySet], service: str) -> FetchKeys:
    """Gets the public keys on behalf of `service`."""

    async def fetch() -> KeySet:
        call = Call.background(service, seconds=KEYS_SECONDS)
        return await client.call(call, publish, publish.request())

    return fetch


def open_database(
    settings: Settings, registry: Registry, policies: Policies, *, pool_size: int = POOL_SIZE
) -> AsyncEngine:
    """The service's own database behind its policies, required for readiness.

    Raises:
        SettingsError: the settings name none.
    """
    if settings.database_url is None:
        key = f"BALUARTE_{settings.service.upper()}_DATABASE_URL"
        raise SettingsError(
            [f"{key} is not set; give postgresql://user:password@host:port/database"]
        )
    engine = create_engine(
        settings.database_url.reveal(),
        application_name=settings.service,
        pool_size=pool_size,
        pipeline=policies.pipeline(DATABASE),
    )
    registry.register("postgres", ping=lambda: ping(engine), close=engine.dispose)
    return engine
