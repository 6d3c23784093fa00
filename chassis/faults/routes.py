"""The routes of the fault point; `chassis/faults/contract.py` says what they take and answer."""

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chassis import codes, wire
from chassis.context import CORRELATION_ID
from chassis.errors import CodedError, to_problem
from chassis.faults.contract import Faults, Lease, NewFault
from chassis.faults.fault import ActiveFault
from chassis.faults.point import FaultPoint
from chassis.gate import bearer

MAX_BODY = 16_384
"""Bytes of an order for a fault: far more than one needs."""

_Order = TypeVar("_Order", NewFault, Lease)
_Answer = Callable[[Request], Awaitable[tuple[int, msgspec.Struct]]]

_new_fault = msgspec.json.Decoder(NewFault)
_lease = msgspec.json.Decoder(Lease)


def routes(point: FaultPoint) -> list[BaseRoute]:
    """All of them, for whoever has the token."""

    async def add(request: Request) -> tuple[int, msgspec.Struct]:
        return 201, point.add(await _body(request, _new_fault)).described()

    async def show(_: Request) -> tuple[int, msgspec.Struct]:
        return 200, _listed(point.faults)

    async def end_all(_: Request) -> tuple[int, msgspec.Struct]:
        return 200, _listed(point.end_all())

    async def end(request: Request) -> tuple[int, msgspec.Struct]:
        return 200, point.end(request.path_params["id"]).described()

    async def renew(request: Request) -> tuple[int, msgspec.Struct]:
        lease = await _body(request, _lease)
        return 200, point.renew(request.path_params["id"], lease.lease_seconds).described()

    async def calls(request: Request) -> tuple[int, msgspec.Struct]:
        correlation, since = _asked(request)
        return 200, point.calls.under(correlation, point.clock.monotonic(), since)

    def route(path: str, method: str, answer: _Answer) -> Route:
        return Route(path, _guarded(point, answer), methods=[method])

    return [
        route("/chaos/faults", "POST", add),
        route("/chaos/faults", "GET", show),
        route("/chaos/faults", "DELETE", end_all),
        route("/chaos/faults/{id}", "DELETE", end),
        route("/chaos/faults/{id}/lease", "POST", renew),
        route("/chaos/calls", "GET", calls),
    ]


def _guarded(point: FaultPoint, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            if not point.admits(bearer(request.headers.get("authorization"))):
                raise codes.CHAOS_TOKEN_INVALID.error()
            status, told = await answer(request)
        except CodedError as error:
            request.scope["error_code"] = error.code
            correlation_id = request.scope.get("correlation_id")
            problem = to_problem(error, correlation_id=correlation_id, service=point.service)
            return Response(wire.encode(problem), error.status, media_type=wire.PROBLEM.decode())
        return Response(wire.encode(told), status, media_type=wire.JSON.decode())

    return handle


async def _body(request: Request, decoder: msgspec.json.Decoder[_Order]) -> _Order:
    headers = wire.headers_of(request.scope)
    body = await wire.read_body(headers, request.receive, MAX_BODY)
    order: _Order = wire.decode(body, decoder)
    return order


def _listed(faults: Iterable[ActiveFault]) -> Faults:
    return Faults(faults=tuple(fault.described() for fault in faults))


def _asked(request: Request) -> tuple[str, float]:
    """The correlation id and the time that a question for calls names."""
    correlation = request.query_params.get("correlation", "")
    if not CORRELATION_ID.match(correlation):
        raise codes.INVALID_INPUT.error(
            "Give `correlation`, a correlation id of 8 to 64 letters, digits and hyphens.",
            field="correlation",
        )
    try:
        return correlation, float(request.query_params.get("since", -math.inf))
    except ValueError:
        raise codes.INVALID_INPUT.error(
            "`since` must be seconds on the monotonic clock.", field="since"
        ) from None
