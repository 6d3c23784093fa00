"""The ledger process: its parts, put together.

`make_store` is the seam for a ledger that breaks its promises on purpose: another connection, look-up or
write, for tests that must notice. No setting reaches it.
"""

from collections.abc import Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis import messages
from chassis.app import create_app
from chassis.bus import Bus
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.credentials import Credentials, Verifier
from chassis.database import create_engine, ping
from chassis.gate import Gate
from chassis.health import Registry
from chassis.messaging import bus_of, consumers, relay
from chassis.metrics import Metrics
from chassis.periodic import Periodic
from chassis.settings import Settings, read_settings
from chassis.tokens import AccessTokens, FetchKeys, KeySet, PublicKey
from services.ledger import audit, intake
from services.ledger.audit import Audit
from services.ledger.contract import SERVICE
from services.ledger.measures import Measures
from services.ledger.operations import Operations
from services.ledger.store import PostgresStore, Store, connector
from services.ledger.writer import Writer
from services.users.contract import JWKS, GetJwks

KEYS_TIMEOUT = 2.0
"""Seconds to get the public keys of the users service; the last good ones serve meanwhile."""

MakeStore = Callable[[str], Store]
"""Makes the writer's store from the database's URL."""


def durable_store(url: str) -> Store:
    """The store that keeps the promises."""
    return PostgresStore(connector(url))


def build(
    settings: Settings,
    *,
    bus: Bus,
    tokens: AccessTokens,
    registry: Registry,
    make_store: MakeStore = durable_store,
) -> Starlette:
    """The app on the given bus, which `registry` knows already."""
    if settings.database_url is None:
        raise ValueError("the ledger service needs its database")
    metrics, url = Metrics(), settings.database_url.reveal()
    engine = _open_database(url, registry)
    measures = Measures(metrics)
    writer = Writer(make_store(url), observer=measures)
    measures.watch(lambda: writer.queued)
    return create_app(
        service=SERVICE,
        handlers=Operations(engine, writer).handlers(),
        registry=registry,
        metrics=metrics,
        gate=Gate(Verifier.load(settings.keys_dir, SERVICE), tokens),
        workers=[
            writer,
            relay(engine, bus, metrics),
            *consumers(engine, bus, SERVICE, (messages.USER_EVENTS,), intake.handlers(), metrics),
            Periodic("audit", Audit(engine, metrics).run_once, every=audit.EVERY),
        ],
    )


async def compose(
    environ: Mapping[str, str], *, make_store: MakeStore = durable_store
) -> tuple[Starlette, Settings]:
    """The app and its settings, from the environment.

    Raises:
        SettingsError: the environment is not right.
    """
    settings = read_settings(environ, SERVICE, peers=("users",))
    credentials = Credentials.load(settings.keys_dir, SERVICE)
    bus = bus_of(settings)
    registry = Registry()
    registry.register("bus", ping=bus.ping, close=bus.close, required=False)
    session = open_session()
    registry.register("http", close=session.close)
    users = ServiceClient(
        "users", settings.peers["users"], session=session, credentials=credentials
    )
    tokens = AccessTokens(_keys_from(users), file=settings.state_dir / f"{SERVICE}-user-keys.json")
    return build(
        settings, bus=bus, tokens=tokens, registry=registry, make_store=make_store
    ), settings


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


def _open_database(url: str, registry: Registry) -> AsyncEngine:
    engine = create_engine(url, application_name=SERVICE)
    registry.register("postgres", ping=lambda: ping(engine), close=engine.dispose)
    return engine
