"""`/health`, `/health/ready`, `/health/live` and `/metrics` of the gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.health import CACHE_SECONDS, PlatformHealth
from tests.asgi import serving
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform


class Service:
    """A service that answers /health/ready as told, and counts."""

    def __init__(self) -> None:
        self.answer: Callable[[], Response] = lambda: JSONResponse(
            {"status": "up", "dependencies": {"postgres": {"status": "up", "latencyMs": 1}}}
        )
        self.asked = 0
        self.app = Starlette(routes=[Route("/health/ready", self._ready)])

    async def _ready(self, _: Request) -> Response:
        self.asked += 1
        return self.answer()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client session for the test."""
    async with aiohttp.ClientSession() as opened:
        yield opened


async def look(platform: Platform, health: PlatformHealth) -> tuple[int, dict[str, Any]]:
    reply = await Gateway(platform, health=health.handle).get("/health")
    return reply.status, reply.json


async def test_all_up(platform: Platform, session: aiohttp.ClientSession) -> None:
    """200, with every replica's dependencies by name and state."""
    service = Service()
    async with serving(service.app) as url:
        status, body = await look(platform, PlatformHealth({"users": [url, url]}, session))
    assert status == 200
    assert body["status"] == "up"
    assert body["services"]["users"]["status"] == "up"
    replicas = body["services"]["users"]["replicas"]
    assert [item["dependencies"] for item in replicas] == [{"postgres": "up"}] * 2


async def test_one_down_is_named(platform: Platform, session: aiohttp.ClientSession) -> None:
    """503, and the body says which service and that it cannot be reached; the gateway still answers."""
    service = Service()
    async with serving(service.app) as url:
        health = PlatformHealth({"users": [url], "ledger": ["http://127.0.0.1:9"]}, session)
        status, body = await look(platform, health)
    assert (status, body["status"]) == (503, "degraded")
    assert body["services"]["ledger"]["replicas"][0]["reason"] == "unreachable"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: Response(b"not json"), "unreadable"),
        (lambda: JSONResponse({"status": "down"}, status_code=503), None),
        (lambda: JSONResponse([1, 2], status_code=503), None),
    ],
)
async def test_a_service_that_is_not_ready_is_down(
    platform: Platform,
    session: aiohttp.ClientSession,
    answer: Callable[[], Response],
    reason: str | None,
) -> None:
    """Whatever else it says than "ready" counts as down, and no answer breaks the page."""
    service = Service()
    service.answer = answer
    async with serving(service.app) as url:
        status, body = await look(platform, PlatformHealth({"users": [url]}, session))
    assert (status, body["status"]) == (503, "down")
    assert body["services"]["users"]["replicas"][0].get("reason") == reason


async def test_many_lookers_ask_once(session: aiohttp.ClientSession) -> None:
    """The public page cannot be used to multiply requests inside."""
    service, clock = Service(), Clock()
    async with serving(service.app) as url:
        health = PlatformHealth({"users": [url]}, session, monotonic=clock)
        await asyncio.gather(*(health.look() for _ in range(50)))
        assert service.asked == 1
        clock.now += CACHE_SECONDS
        await health.look()
    assert service.asked == 2


async def test_the_gateway_is_ready_without_its_services(
    gateway: Gateway, platform: Platform
) -> None:
    """A service that is away does not take the gateway out of the load balancer."""

    async def down() -> None:
        raise ConnectionError

    gateway.registry.register("users", ping=down, required=False)
    reply = await gateway.get("/health/ready")
    assert reply.status == 200
    assert reply.json["dependencies"]["users"]["status"] == "down"
    assert (await gateway.get("/health/live")).status == 200


async def test_operations_are_measured(gateway: Gateway, platform: Platform) -> None:
    """Durations by root field, type and outcome; errors by root field and code; schema names only."""
    ana = platform.add_user()
    await gateway.query("{ me { id } }", user=ana)
    await gateway.query("{ me { id } account { id } }")
    await gateway.query("query Evil_Name { secret_field }")
    text = (await gateway.get("/metrics")).body.decode()
    count = "graphql_operation_duration_seconds_count"
    for line in (
        f'{count}{{operation="me",outcome="ok",type="query"}} 1.0',
        f'{count}{{operation="several",outcome="client_error",type="query"}} 1.0',
        f'{count}{{operation="other",outcome="client_error",type="other"}} 1.0',
        f'{count}{{operation="transfer",outcome="ok",type="mutation"}} 0.0',
        'graphql_field_errors_total{code="UNAUTHENTICATED",field="account"} 1.0',
        'graphql_field_errors_total{code="GRAPHQL_VALIDATION_FAILED",field="other"} 1.0',
    ):
        assert line in text
    assert "Evil_Name" not in text
    assert "secret_field" not in text
