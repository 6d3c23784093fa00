"""The ledger process: its parts, put together.

`make_store` is the seam for a ledger that breaks its promises on purpose: another connection, look-up or
write, for tests that must notice. No setting reaches it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette

from chassis import messages
from chassis.app import create_app
from chassis.bus import Bus
from chassis.credentials import Verifier
from chassis.faults.point import FaultPoint, token_clock
from chassis.gate import Gate
from chassis.health import Registry
from chassis.messaging import consumers, queue_gauges, relay
from chassis.periodic import Periodic
from chassis.policies import WRITER, Policies
from chassis.process import Process, open_database
from chassis.settings import Settings, read_settings
from chassis.tokens import AccessTokens
from services.ledger import audit, intake
from services.ledger.audit import Audit
from services.ledger.contract import SERVICE
from services.ledger.guarded_store import GuardedStore
from services.ledger.measures import Measures
from services.ledger.operations import Operations
from services.ledger.store import PostgresStore, Store, connector
from services.ledger.writer import Writer
from services.users.contract import JWKS

POLICY_FILE = Path(__file__).with_name("policies.toml")
"""Every downstream of this process, its policies, and the reason for each number."""

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
    policies: Policies | None = None,
    faults: FaultPoint | None = None,
    make_store: MakeStore = durable_store,
) -> Starlette:
    """The app on the given bus, which `registry` knows already.

    Args:
        policies: those of this process; None for those of its own file.
        faults: the fault point of this process, if it has one.
        make_store: makes the writer's store.
    """
    if settings.database_url is None:
        raise ValueError("the ledger service needs its database")
    policies = policies or Policies.open(settings, POLICY_FILE)
    metrics, url = policies.metrics, settings.database_url.reveal()
    engine = open_database(settings, registry, policies)
    measures = Measures(metrics)
    store = GuardedStore(make_store(url), policies.pipeline(WRITER))
    writer = Writer(store, observer=measures)
    measures.watch(lambda: writer.queued)
    return create_app(
        service=SERVICE,
        handlers=Operations(engine, writer).handlers(),
        registry=registry,
        metrics=metrics,
        faults=faults,
        gate=Gate(Verifier.load(settings.keys_dir, SERVICE, now=token_clock(faults)), tokens),
        workers=[
            writer,
            *policies.workers(),
            relay(engine, bus, metrics),
            queue_gauges(bus, metrics),
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
    policies = Policies.open(settings, POLICY_FILE)
    process = Process(settings, policies)
    app = build(
        settings,
        bus=process.bus,
        tokens=process.access_tokens(JWKS),
        registry=process.registry,
        policies=policies,
        faults=process.faults,
        make_store=make_store,
    )
    return app, settings
