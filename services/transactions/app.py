"""The transactions process: its parts, put together.

`intake` and `through` are the seams for a service that breaks its promises on purpose, for tests that
must notice: without idempotency, or with guesses in place of the ledger's answers. No setting reaches them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from chassis import messages
from chassis.app import create_app
from chassis.bus import Bus
from chassis.credentials import Verifier
from chassis.faults.point import FaultPoint, token_clock
from chassis.gate import Gate
from chassis.health import Registry
from chassis.messaging import consumers, queue_gauges, relay
from chassis.policies import Policies
from chassis.process import Process, open_database
from chassis.settings import Settings
from chassis.tokens import AccessTokens
from services.transactions import contract, names
from services.transactions import settings as transactions_settings
from services.transactions.contract import SERVICE
from services.transactions.intake import Intake
from services.transactions.ledger_port import HttpLedger, LedgerPort
from services.transactions.parts import assemble
from services.transactions.settings import TransactionsSettings
from services.transactions.transfers import TakesTransactions
from services.users.contract import JWKS

TOPICS = (messages.USER_EVENTS,)

POLICY_FILE = Path(__file__).with_name("policies.toml")
"""Every downstream of this process, its policies, and the reason for each number."""

POOL_SIZE = 16
"""Connections: two batches being taken over, four being settled, the workers' seven, and some reads."""

MakeIntake = Callable[[AsyncEngine], TakesTransactions]
WrapLedger = Callable[[LedgerPort], LedgerPort]


def build(
    settings: TransactionsSettings,
    *,
    bus: Bus,
    ledger: LedgerPort,
    tokens: AccessTokens,
    registry: Registry,
    policies: Policies | None = None,
    faults: FaultPoint | None = None,
    intake: MakeIntake = Intake,
) -> Starlette:
    """The app on the given bus and ledger, which `registry` knows already.

    Args:
        policies: those of this process; None for those of its own file.
        faults: the fault point of this process, if it has one.
        intake: makes the part that commits new transactions with their idempotency keys.
    """
    common = settings.common
    policies = policies or Policies.open(common, POLICY_FILE)
    metrics = policies.metrics
    engine = open_database(common, registry, policies, pool_size=POOL_SIZE)
    parts = assemble(
        engine,
        ledger,
        metrics,
        rail=settings.rail,
        intake=intake(engine),
        queued=lambda: policies.queued("ledger"),
    )
    # Closed before the database: what is on its way to the ledger is settled first.
    registry.register("transfers under way", close=parts.transfers.drain)
    transfers, reading = parts.transfers, parts.reading
    return create_app(
        service=SERVICE,
        handlers={
            contract.CREATE: transfers.create,
            contract.REVERSE: transfers.reverse,
            contract.GET_TRANSACTIONS: reading.get,
            contract.FIND_TRANSACTION: reading.find,
            contract.LIST_TRANSACTIONS: reading.list,
        },
        registry=registry,
        metrics=metrics,
        faults=faults,
        gate=Gate(Verifier.load(common.keys_dir, SERVICE, now=token_clock(faults)), tokens),
        workers=[
            *policies.workers(),
            parts.recovery,
            parts.pruning.worker(),
            relay(engine, bus, metrics),
            queue_gauges(bus, metrics),
            *consumers(engine, bus, SERVICE, TOPICS, names.HANDLERS, metrics),
        ],
    )


async def compose(
    environ: Mapping[str, str],
    *,
    intake: MakeIntake = Intake,
    through: WrapLedger = lambda ledger: ledger,
) -> tuple[Starlette, Settings]:
    """The app and its settings, from the environment.

    Args:
        intake: as for `build`.
        through: wraps the way to the ledger.

    Raises:
        SettingsError: the environment is not right.
    """
    settings = transactions_settings.read(environ)
    common = settings.common
    policies = Policies.open(common, POLICY_FILE)
    process = Process(common, policies)
    ledger = process.client("ledger")
    process.registry.register("ledger", ping=ledger.ping, required=False)
    app = build(
        settings,
        bus=process.bus,
        ledger=through(HttpLedger(ledger)),
        tokens=process.access_tokens(JWKS),
        registry=process.registry,
        policies=policies,
        faults=process.faults,
        intake=intake,
    )
    return app, common
