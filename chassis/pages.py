"""The pages that every process has: health, metrics, and the documentation of its operations."""

import asyncio
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from chassis.contract import Operations
from chassis.health import DependencyStatus, Registry
from chassis.metrics import Metrics
from chassis.openapi import document
from chassis.workers import Workers

SWAGGER = Path(__file__).parent / "swagger"

SWAGGER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes style attributes; scripts come from our own files only."""


def pages(
    service: str, operations: Operations, registry: Registry, metrics: Metrics, workers: Workers
) -> list[BaseRoute]:
    """Routes of the pages; those of operations only where there are any."""
    health = _Health(service, registry, metrics, workers)
    found: list[BaseRoute] = [
        Route("/health/live", health.live, methods=["GET"]),
        Route("/health/ready", health.ready, methods=["GET"]),
        Route("/metrics", _metrics(metrics), methods=["GET"]),
    ]
    if operations:
        found += _documentation(service, operations)
    return found


class _Health:
    def __init__(
        self, service: str, registry: Registry, metrics: Metrics, workers: Workers
    ) -> None:
        self._service = service
        self._registry = registry
        self._workers = workers
        self._up = metrics.gauge(
            "dependency_up",
            "1 when the dependency answered the last readiness check",
            dependency=registry.names,
        )

    async def live(self, _: Request) -> Response:
        """The process runs and its event loop turns."""
        return JSONResponse({"status": "up", "service": self._service})

    async def ready(self, _: Request) -> Response:
        """200 when all that is required answers; 503 when not, or when shutting down."""
        checked = await self._registry.check()
        for item in checked:
            self._up.labels(item.name).set(1 if item.up else 0)
        up = all(item.up for item in checked if item.required)
        status = "stopping" if self._workers.stopping.is_set() else ("up" if up else "down")
        return JSONResponse(
            {
                "status": status,
                "service": self._service,
                "dependencies": {item.name: _entry(item) for item in checked},
                "failingWorkers": sorted(self._workers.failing),
            },
            status_code=200 if status == "up" else 503,
            headers={"cache-control": "no-store"},
        )


def _entry(item: DependencyStatus) -> dict[str, object]:
    entry: dict[str, object] = {
        "status": "up" if item.up else "down",
        "required": item.required,
        "latencyMs": round(item.latency * 1000, 2),
    }
    if item.reason:
        entry["reason"] = item.reason
    return entry


def _metrics(metrics: Metrics):  # type: ignore[no-untyped-def]
    async def show(request: Request) -> Response:
        # On a thread: two thousand lines take tens of milliseconds, for which no request should wait.
        body, content_type = await asyncio.to_thread(
            metrics.expose, request.headers.get("accept", "")
        )
        return Response(body, media_type=None, headers={"content-type": content_type})

    return show


def _documentation(service: str, operations: Operations) -> list[BaseRoute]:
    openapi = msgspec.json.encode(document(service, operations))
    page = (SWAGGER / "page.html").read_text().replace("{{service}}", service)

    async def show_openapi(_: Request) -> Response:
        return Response(openapi, media_type="application/json")

    async def show_page(_: Request) -> Response:
        return HTMLResponse(page, headers={"content-security-policy": SWAGGER_POLICY})

    return [
        Route("/openapi.json", show_openapi, methods=["GET"]),
        Route("/docs", show_page, methods=["GET"]),
        Mount("/docs/assets", StaticFiles(directory=SWAGGER / "assets")),
    ]
