"""Around every request: a correlation id, one log line, the request metrics, and a last net for errors."""

import time
from collections.abc import Sequence
from itertools import product

from prometheus_client import Histogram
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import codes, logs, wire
from chassis.context import (
    accepted_correlation_id,
    accepted_traceparent,
    set_correlation_id,
    set_traceparent,
)
from chassis.metrics import Metrics, exemplar
from chassis.tracing import Kind, Span, span

QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Routes that pollers call all the time: measured, but logged only when they fail."""

_METHODS = frozenset({"GET", "POST", "OPTIONS", "HEAD"})

_STATUS_CLASSES = ("2xx", "4xx", "5xx")
"""Made at 0 for every route beforehand, so that the first error is a step and not a beginning."""

_log = logs.get("http")


class Observed:
    """Pure ASGI middleware; adds `correlation_id` to the scope and `X-Correlation-Id` to the answer.

    The request's span is named after its route, unless its work names it; `traceparent` in the scope is
    what that work hands on."""

    def __init__(
        self, app: ASGIApp, *, service: str, metrics: Metrics, routes: Sequence[BaseRoute]
    ) -> None:
        self._app = app
        self._service = service
        self._paths = frozenset(route.path for route in routes if isinstance(route, Route))
        self._duration = metrics.histogram(
            "http_server_request_duration_seconds",
            "Time from the request's head to the end of the answer",
            method=(),
            route=(),
            status_class=(),
        )
        self._children: dict[tuple[str, str, str], Histogram] = {}
        for route in routes:
            if isinstance(route, Route):
                for method, status in product((route.methods or set()) - {"HEAD"}, _STATUS_CLASSES):
                    self._child(method, route.path, status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        correlation_id = accepted_correlation_id(_header(scope, b"x-correlation-id"))
        scope["correlation_id"] = correlation_id
        set_correlation_id(correlation_id)
        traceparent = accepted_traceparent(_header(scope, b"traceparent"))
        scope["status"] = 0
        try:
            with self._span(scope, traceparent) as serving:
                scope["traceparent"] = serving.traceparent
                set_traceparent(serving.traceparent)
                try:
                    await self._serve(scope, receive, send, correlation_id)
                finally:
                    self._tell(serving, scope, scope["status"])
        finally:
            self._record(scope, scope["status"], time.monotonic() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, correlation_id: str) -> None:
        """Run the app; `status` in the scope is what it answered with, 0 for nothing so far."""

        async def observed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["status"] = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-correlation-id", correlation_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except Exception as error:  # noqa: BLE001 - the last net
            _log.error("request failed", route=self._label(scope), exc_info=error)
            if scope["status"] == 0:
                await wire.send_problem(
                    observed_send,
                    codes.INTERNAL.error(f"Report the correlation id {correlation_id}."),
                    service=self._service,
                    correlation_id=correlation_id,
                )

    def _span(self, scope: Scope, traceparent: str | None) -> Span:
        if scope["path"] in QUIET:
            return Span(None, traceparent)
        return span(scope["method"], Kind.SERVER, parent=traceparent, begins=True)

    def _tell(self, serving: Span, scope: Scope, status: int) -> None:
        if not serving.recorded:
            return
        route = self._label(scope)
        if not serving.named:
            serving.name(f"{scope['method']} {route}")
        serving.tell("http.request.method", scope["method"])
        serving.tell("http.route", route)
        serving.tell("http.response.status_code", status)
        serving.tell("baluarte.correlation_id", scope["correlation_id"])
        if (code := scope.get("error_code")) is not None:
            serving.tell("baluarte.outcome", code)
        if status >= 500 or status == 0:
            serving.fail(code or str(status))

    def _label(self, scope: Scope) -> str:
        path = scope.get("route_label") or scope["path"]
        return path if path in self._paths else "other"

    def _child(self, method: str, route: str, status_class: str) -> Histogram:
        """Resolved once each; bounded, as methods, routes and classes are."""
        labels = (method, route, status_class)
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._duration.labels(*labels)
        return child

    def _record(self, scope: Scope, status: int, duration: float) -> None:
        route = self._label(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._child(method, route, f"{status // 100}xx").observe(duration, exemplar())
        if route in QUIET and status < 500:
            return
        _log.info(
            "request",
            method=method,
            route=route,
            status=status,
            duration=duration,
            code=scope.get("error_code"),
            userId=scope.get("user_id"),
        )


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None
