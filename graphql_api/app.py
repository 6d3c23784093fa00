"""The gateway's composition root: settings and parts in, a Starlette app out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chassis.app import create_app
from chassis.cache import open_redis
from chassis.client import ServiceClient, open_session
from chassis.credentials import Credentials
from chassis.faults.point import FaultPoint, token_clock
from chassis.gate import Gate
from chassis.health import Registry
from chassis.metrics import Metrics
from chassis.policies import CACHE, Policies
from chassis.process import keys_from
from chassis.settings import Settings
from chassis.tokens import AccessTokens
from chassis.workers import Worker
from graphql_api import settings as settings_module
from graphql_api.downstream import Downstream, over
from graphql_api.downstream.last_good import open_copies
from graphql_api.execution.documents import Documents
from graphql_api.execution.executor import Executor
from graphql_api.graphiql import GraphiQL
from graphql_api.health import PlatformHealth
from graphql_api.schema import SINGLE_MUTATIONS, build_schema, core_schema, sdl
from graphql_api.security.headers import protect
from graphql_api.security.limits import Limiter, RateLimits
from graphql_api.security.rate_limit import (
    FallbackStore,
    GuardedStore,
    LocalStore,
    Store,
    ValkeyStore,
)
from graphql_api.settings import PEERS, GatewaySettings
from graphql_api.telemetry import Telemetry
from graphql_api.web.endpoint import GraphQLEndpoint
from resilience import Pipeline
from services.users.contract import JWKS

SERVICE = "gateway"

POLICY_FILE = Path(__file__).with_name("policies.toml")
"""Every downstream of the gateway, its policies, and the reason for each number."""

Answerer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the app is made of; a test hands over others.

    Attributes:
        valkey: where rate limits are shared; None to count in this process.
        health: answers `/health`; None where there are no services to ask.
        workers: background work of the process.
        faults: the fault point of the process, if it has one.
    """

    settings: GatewaySettings
    downstream: Downstream
    tokens: AccessTokens
    registry: Registry
    metrics: Metrics
    valkey: Store | None = None
    health: Answerer | None = None
    workers: Sequence[Worker] = ()
    faults: FaultPoint | None = None


def build(parts: Parts) -> Starlette:
    """The gateway as an app."""
    schema = build_schema()
    core = core_schema(schema)
    telemetry = Telemetry(parts.metrics, _root_fields(core))
    settings = parts.settings
    limiter = Limiter(_store(parts.valkey, telemetry), RateLimits.of(settings), telemetry)
    documents = Documents(core, settings.limits, introspection=settings.explorable)
    graphiql = GraphiQL() if settings.explorable else None
    endpoint = GraphQLEndpoint(
        settings,
        executor=Executor(
            core,
            documents,
            telemetry,
            single_mutations=SINGLE_MUTATIONS,
            limits=settings.limits,
        ),
        downstream=parts.downstream,
        tokens=parts.tokens,
        limiter=limiter,
        page=graphiql.page if graphiql else None,
    )
    app = create_app(
        service=SERVICE,
        handlers={},
        registry=parts.registry,
        metrics=parts.metrics,
        gate=Gate(verifier=None, tokens=None),
        routes=_routes(endpoint, sdl(schema), parts.health, graphiql),
        workers=parts.workers,
        on_start=[parts.tokens.warm_up],
        faults=parts.faults,
    )
    protect(app, origins=settings.cors_origins, https_only=settings.shared.in_production)
    return app


def _root_fields(core: Any) -> dict[str, list[str]]:
    return {
        "query": list(core.query_type.fields),
        "mutation": list(core.mutation_type.fields),
    }


def _store(valkey: Store | None, telemetry: Telemetry) -> Store:
    if valkey is None:
        return LocalStore()
    return FallbackStore(valkey, LocalStore(), fell_back=telemetry.decided_locally)


def _routes(
    endpoint: GraphQLEndpoint, text: str, health: Answerer | None, graphiql: GraphiQL | None
) -> list[BaseRoute]:
    async def show_schema(_: Request) -> Response:
        return PlainTextResponse(text, headers={"cache-control": "public, max-age=300"})

    async def to_page(_: Request) -> Response:
        return RedirectResponse("/graphql")

    routes: list[BaseRoute] = [
        Route("/graphql", endpoint.handle, methods=["GET", "POST"]),
        Route("/schema.graphql", show_schema, methods=["GET"]),
    ]
    if health is not None:
        routes.append(Route("/health", health, methods=["GET"]))
    if graphiql is not None:
        routes += [graphiql.assets, Route("/", to_page, methods=["GET"])]
    return routes


async def compose(environ: Mapping[str, str]) -> tuple[Starlette, Settings]:
    """The gateway of this environment, with its own clients. Nothing is connected yet."""
    settings = settings_module.read(environ)
    shared = settings.shared
    registry = Registry()
    policies = Policies.open(shared, POLICY_FILE, copies=open_copies(shared, registry))
    metrics = policies.metrics
    faults = FaultPoint.of(shared, metrics)
    credentials = Credentials.load(shared.keys_dir, SERVICE, now=token_clock(faults))
    registry.register("policies", close=policies.close)
    pipelines = {peer: policies.pipeline(peer) for peer in PEERS}
    session = open_session()
    registry.register("http", close=session.close)
    clients = {
        peer: ServiceClient(
            peer,
            shared.peers[peer],
            session=session,
            credentials=credentials,
            pipeline=pipelines[peer],
        )
        for peer in PEERS
    }
    for peer, client in clients.items():
        # Not required: while one service is away, everything that does not need it is answered.
        registry.register(peer, ping=client.ping, required=False)
    downstream = over(pipelines, **clients)
    tokens = AccessTokens(
        keys_from(clients["users"], JWKS, SERVICE),
        file=shared.state_dir / f"{SERVICE}-user-keys.json",
        now=token_clock(faults),
    )
    app = build(
        Parts(
            settings=settings,
            downstream=downstream,
            tokens=tokens,
            registry=registry,
            metrics=metrics,
            valkey=_valkey(shared, registry, policies.pipeline(CACHE)),
            workers=policies.workers(),
            faults=faults,
            health=PlatformHealth({peer: shared.peers[peer] for peer in PEERS}, session).handle,
        )
    )
    return app, shared


def _valkey(shared: Settings, registry: Registry, pipeline: Pipeline) -> Store | None:
    if shared.redis_url is None:
        return None
    client = open_redis(shared.redis_url)

    async def ping() -> None:
        await client.ping()

    registry.register("valkey", ping=ping, close=client.aclose, required=False)
    return GuardedStore(ValkeyStore(client), pipeline)


__all__ = ["Parts", "build", "compose"]
