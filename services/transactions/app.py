"""The transactions process: its parts, put together.

`intake` and `through` are the seams for a service that breaks its promises on purpose, for tests that
must notice: without idempotency, or with guesses in place of the ledger's answers. No setting reaches them.
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
from chassis.settings import Settings
from chassis.tokens import AccessTokens, FetchKeys, KeySet, PublicKey
from services.transactions import contract, names
from services.transactions import settings as transactions_settings
from services.transactions.contract import SERVICE
from services.transactions.intake import Intake
from services.transactions.ledger_port import HttpLedger, LedgerPort
from services.transactions.parts import assemble
from services.transactions.settings import TransactionsSettings
from services.transactions.transfers import TakesTransactions
from services.users.contract import JWKS, GetJwks

TOPICS = (messages.USER_EVENTS,)

POOL_SIZE = 16
"""Connections: two batches being taken over, four being settled, the workers' seven, and some reads."""

KEYS_TIMEOUT = 2.0
"""Seconds to get the public keys of the users service; the last good ones serve meanwhile."""

MakeIntake = Callable[[AsyncEngine], TakesTransactions]
WrapLedger = Callable[[LedgerPort], LedgerPort]


def build(
    settings: TransactionsSettings,
    *,
    bus: Bus,
    ledger: LedgerPort,
    tokens: AccessTokens,
    registry: Registry,
    intake: MakeIntake = Intake,
) -> Starlette:
    """The app on the given bus and ledger, which `registry` knows already.

    Args:
        intake: makes the part that commits new transactions with their idempotency keys.
    """
    common, metrics = settings.common, Metrics()
    engine = _open_database(common, registry)
    parts = assemble(engine, ledger, metrics, rail=settings.rail, intake=intake(engine))
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
        gate=Gate(Verifier.load(common.keys_dir, SERVICE), tokens),
        workers=[
            parts.recovery,
            parts.pruning.worker(),
            relay(engine, bus, metrics),
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
    credentials = Credentials.load(common.keys_dir, SERVICE)
    bus = bus_of(common)
    registry = Registry()
    registry.register("bus", ping=bus.ping, close=bus.close, required=False)
    session = open_session()
    registry.register("http", close=session.close)
    ledger, users = (
        ServiceClient(peer, common.peers[peer], session=session, credentials=credentials)
        for peer in ("ledger", "users")
    )
    registry.register("ledger", ping=ledger.ping, required=False)
    app = build(
        settings,
        bus=bus,
        ledger=through(HttpLedger(ledger)),
        tokens=AccessTokens(_keys_from(users), file=common.state_dir / f"{SERVICE}-user-keys.json"),
        registry=registry,
        intake=intake,
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
        raise ValueError("the transactions service needs its database")
    engine = create_engine(
        common.database_url.reveal(), application_name=SERVICE, pool_size=POOL_SIZE
    )
    registry.register("postgres", ping=lambda: ping(engine), close=engine.dispose)
    return engine
