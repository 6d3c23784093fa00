"""Security headers and CORS."""

import pytest

from chassis.settings import Environment
from graphql_api.settings import DEVELOPMENT_ORIGINS
from tests.graphql_api.driving import Gateway, in_environment
from tests.graphql_api.fakes import Platform

ORIGIN = "http://localhost:5173"


def preflight(origin: str) -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-correlation-id",
    }


@pytest.mark.parametrize("path", ["/graphql", "/schema.graphql", "/health/live", "/nothing"])
async def test_every_answer_is_protected(gateway: Gateway, path: str) -> None:
    """Also errors: no sniffing, no framing, nothing runs, nothing is kept by caches on the way."""
    reply = await gateway.get(path)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    if path != "/schema.graphql":
        assert reply.headers["cache-control"] == "no-store"
    assert "server" not in reply.headers


async def test_https_is_demanded_in_production_only(platform: Platform) -> None:
    """HSTS on a developer's localhost would lock it for two years."""
    for environment in Environment:
        reply = await Gateway(platform, in_environment(environment)).get("/health/live")
        expected = environment is Environment.PRODUCTION
        assert ("strict-transport-security" in reply.headers) is expected


async def test_a_configured_origin_may_read(platform: Platform) -> None:
    """Preflight and answer name the origin; the answer's own headers are readable; no cookies are."""
    gateway = Gateway(platform, in_environment(Environment.TEST, cors_origins=(ORIGIN,)))
    reply = await gateway.request("OPTIONS", "/graphql", headers=preflight(ORIGIN))
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    reply = await gateway.query("{ __typename }", headers={"origin": ORIGIN})
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    exposed = reply.headers["access-control-expose-headers"]
    assert "retry-after" in exposed
    assert "x-correlation-id" in exposed
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", ORIGIN + ".evil.example", "https://localhost:5173"]
)
async def test_other_origins_may_not(platform: Platform, origin: str) -> None:
    """What is not configured to the letter gets no permission."""
    gateway = Gateway(platform, in_environment(Environment.TEST, cors_origins=(ORIGIN,)))
    refused = await gateway.request("OPTIONS", "/graphql", headers=preflight(origin))
    assert refused.status == 400
    for reply in (refused, await gateway.query("{ __typename }", headers={"origin": origin})):
        assert "access-control-allow-origin" not in reply.headers


def test_the_usual_development_servers_are_known() -> None:
    """React, Vite and Angular work out of the box in development."""
    for origin in (
        ORIGIN,
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://localhost:4200",
    ):
        assert origin in DEVELOPMENT_ORIGINS
