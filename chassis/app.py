"""The application factory: operations in, a Starlette app out, alike for every service.

An operation's endpoint bounds and decodes the body, checks both credentials, keeps the deadline, runs the
handler, and encodes; around it `Observed` gives each request its correlation id, metrics and log line.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from chassis import codes, logs, wire
from chassis.context import Call
from chassis.contract import Operation, UserAccess
from chassis.errors import CodedError, to_problem
from chassis.faults import routes as fault_routes
from chassis.faults.middleware import FaultMiddleware
from chassis.faults.point import IN_STATE, FaultPoint
from chassis.gate import Gate
from chassis.health import Registry
from chassis.metrics import Metrics
from chassis.observed import Observed
from chassis.pages import pages
from chassis.workers import Worker, Workers
from resilience import DeadlineExceeded, call_context
from resilience.deadline import Deadline

MAX_BODY = 1_000_000
"""Bytes of a request between services: a full batch with room; the gateway takes far less."""

MAX_SECONDS = 10.0
"""Longest that an operation may run; a caller's `Deadline-Ms` can only shorten it."""

Handler = Callable[[Call, Any], Awaitable[msgspec.Struct]]
Hook = Callable[[], Awaitable[None]]

_log = logs.get("app")


def create_app(
    *,
    service: str,
    handlers: Mapping[Operation[Any, Any], Handler],
    registry: Registry,
    metrics: Metrics,
    gate: Gate,
    workers: Sequence[Worker] = (),
    routes: Sequence[BaseRoute] = (),
    on_start: Sequence[Hook] = (),
    faults: FaultPoint | None = None,
    max_body: int = MAX_BODY,
    max_seconds: float = MAX_SECONDS,
) -> Starlette:
    """The app of `service`: its operations, health, metrics and documentation pages.

    Args:
        handlers: what runs each operation; together they are the service's contract.
        registry: dependencies, for readiness; closed when the app shuts down.
        workers: background work, restarted with backoff when it fails, stopped before the registry closes.
        routes: further routes, for an app that is more than its operations.
        on_start: run in order before the first request; a failure stops the start.
        faults: the fault point of the process, if it is to have one.
        max_body: bytes of a request body.
        max_seconds: longest that an operation may run.
    """
    staff = Workers(workers)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            for hook in on_start:
                await hook()
            async with staff.running():
                yield
        finally:
            await registry.close()

    endpoints: list[BaseRoute] = [
        Route(
            operation.path,
            _Endpoint(service, operation, handler, gate, max_body, max_seconds),
            methods=[operation.method],
        )
        for operation, handler in handlers.items()
    ]
    known = [*endpoints, *routes, *pages(service, tuple(handlers), registry, metrics, staff)]
    app = Starlette(
        routes=known,
        middleware=[Middleware(Observed, service=service, metrics=metrics, routes=known)],
        exception_handlers={HTTPException: _routing_problem(service)},
        lifespan=lifespan,
    )
    # For whoever asks a composed app what it is made of, as the page of metrics does.
    app.state.metrics, app.state.registry = metrics, registry
    if faults is not None:
        _install(faults, app, registry)
    return app


def _install(faults: FaultPoint, app: Starlette, registry: Registry) -> None:
    """Put the fault point behind what observes, so that what it does is seen as the process' own doing."""
    faults.routes = frozenset(route.path for route in app.routes if isinstance(route, Route))
    app.router.routes.extend(fault_routes.routes(faults))
    app.user_middleware.append(Middleware(FaultMiddleware, point=faults))
    setattr(app.state, IN_STATE, faults)
    registry.register("faults", close=faults.close)


def _routing_problem(service: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    by_status = {404: codes.NOT_FOUND, 405: codes.METHOD_NOT_ALLOWED}

    async def handle(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        problem = by_status.get(status, codes.BAD_REQUEST).error()
        headers = dict(getattr(error, "headers", None) or {})
        return problem_response(problem, request, service, headers)

    return handle


def problem_response(
    error: CodedError, request: Request, service: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A Starlette response that tells `error`."""
    body = wire.encode(
        to_problem(error, correlation_id=request.scope.get("correlation_id"), service=service)
    )
    return Response(body, error.status, headers, media_type=wire.PROBLEM.decode())


class _Endpoint:
    """The ASGI face of one operation."""

    def __init__(
        self,
        service: str,
        operation: Operation[Any, Any],
        handler: Handler,
        gate: Gate,
        max_body: int,
        max_seconds: float,
    ) -> None:
        self._service = service
        self._operation = operation
        self._handler = handler
        self._gate = gate
        self._max_body = max_body
        self._max_seconds = max_seconds
        self._decoder = msgspec.json.Decoder(operation.request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route_label"] = self._operation.path
        try:
            answer = await self._answer(scope, receive)
        except wire.ClientGone:
            return
        except CodedError as error:
            scope["error_code"] = error.code
            await wire.send_problem(
                send,
                error,
                service=self._service,
                correlation_id=scope.get("correlation_id"),
            )
        else:
            await wire.send_bytes(send, 200, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        operation = self._operation
        headers = wire.headers_of(scope)
        deadline = Deadline.from_milliseconds(headers.get("deadline-ms"), self._max_seconds)
        caller = self._gate.caller(operation, headers)
        user, token = await self._gate.user(operation, headers)
        if user is not None:
            scope["user_id"] = user.id
        if operation.method == "POST":
            wire.require_json(headers)
            body = await wire.read_body(headers, receive, self._max_body)
            request = wire.decode(body, self._decoder)
        else:
            request = operation.request()
        call = Call(
            correlation_id=scope["correlation_id"],
            deadline=deadline,
            service=caller,
            user=user if operation.user is not UserAccess.NONE else None,
            user_token=token,
            traceparent=scope["traceparent"],
        )
        return wire.encode(await self._run(call, request))

    async def _run(self, call: Call, request: Any) -> msgspec.Struct:
        """Run the handler within the deadline; whatever else it raises is ours, masked and logged."""
        left = call.deadline.remaining()
        if left <= 0:
            raise codes.DEADLINE_EXCEEDED.error()
        try:
            with call_context(deadline=call.deadline, priority=self._operation.priority):
                async with asyncio.timeout(left):
                    return await self._handler(call, request)
        except CodedError:
            raise
        except (TimeoutError, DeadlineExceeded):
            if self._operation.reads:
                raise codes.DEADLINE_EXCEEDED.error() from None
            raise codes.OUTCOME_UNKNOWN.error() from None
        except Exception as error:  # noqa: BLE001 - a handler may fail in any way
            _log.error("handler failed", operation=str(self._operation), exc_info=error)
            raise codes.INTERNAL.error(
                f"Report the correlation id {call.correlation_id}."
            ) from None
