"""`/graphql`: one request through its checks, in this order: format, identity, rate, body, operation.

Each check raises a coded error; here they become GraphQL answers in the format that the client accepts.
"""

import asyncio
import math
from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from chassis import codes, logs, wire
from chassis.context import Call
from chassis.errors import CodedError
from chassis.tokens import AccessTokens
from graphql_api.batching import Ask
from graphql_api.context import Context
from graphql_api.downstream import Downstream
from graphql_api.errors import masked
from graphql_api.execution.executor import Answer, Executor, refusal
from graphql_api.security.clients import client_address
from graphql_api.security.identity import Visitor, identify
from graphql_api.security.limits import Limiter
from graphql_api.settings import GatewaySettings
from graphql_api.web import parameters
from graphql_api.web.negotiation import JSON, prefers_html, response_type
from resilience.deadline import Deadline

ANSWER_MARGIN = 0.05
"""Seconds kept back (of a short deadline, a tenth) for putting the answer together, so that a late service
costs its own fields only."""

_log = logs.get("graphql")
_encoder = msgspec.json.Encoder()


class GraphQLEndpoint:
    """Answers GraphQL over HTTP.

    Args:
        page: what a browser is shown that comes without an operation; None where there is no such page.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        executor: Executor,
        downstream: Downstream,
        tokens: AccessTokens,
        limiter: Limiter,
        page: Response | None = None,
    ) -> None:
        self._settings = settings
        self._executor = executor
        self._downstream = downstream
        self._tokens = tokens
        self._limiter = limiter
        self._page = page

    async def handle(self, request: Request) -> Response:
        """The Starlette endpoint, for GET and POST."""
        request.scope["route_label"] = "/graphql"
        accept = request.headers.get("accept")
        if self._page and request.method == "GET" and self._wants_page(request, accept):
            return self._page
        media = response_type(accept)
        headers: dict[str, str] = {}
        try:
            if media is None:
                raise codes.NOT_ACCEPTABLE.error()
            answer = await self._answer(request, headers)
        except CodedError as error:
            answer = refusal(error, request.scope["correlation_id"])
        except wire.ClientGone:
            return Response(status_code=codes.BAD_REQUEST.status)  # nobody reads it
        except Exception as error:  # noqa: BLE001 - masked here, as a GraphQL answer
            answer = self._failed(error, request.scope["correlation_id"])
        else:
            # Old clients take anything but 200 for a failure of the network.
            if media == JSON and not answer.executed and answer.status == 400:
                answer = replace(answer, status=200)
        if answer.codes:
            request.scope["error_code"] = answer.codes[0]
        return _response(answer, media or JSON, headers)

    def _failed(self, error: Exception, correlation_id: str) -> Answer:
        _log.error("operation failed", exc_info=error)
        return refusal(masked(correlation_id), correlation_id)

    def _wants_page(self, request: Request, accept: str | None) -> bool:
        return "query" not in request.query_params and prefers_html(accept)

    async def _answer(self, request: Request, headers: dict[str, str]) -> Answer:
        """The answer to a request; rate limit headers are added to `headers` as they become known."""
        deadline = Deadline.from_milliseconds(
            request.headers.get("deadline-ms"), self._settings.max_seconds
        )
        visitor = await identify(request.headers.get("authorization"), self._tokens)
        address = client_address(
            request.client.host if request.client else None,
            request.headers.getlist("x-forwarded-for"),
            self._settings.trusted_proxies,
        )
        if visitor.user is not None:
            request.scope["user_id"] = visitor.user.id
        decision = await self._limiter.request(str(visitor.user.id) if visitor.user else address)
        headers.update(self._limiter.headers(decision))
        if not decision.allowed:
            raise codes.RATE_LIMITED.error(retry_after=float(math.ceil(decision.retry_after)))
        posted = request.method == "POST"
        if posted:
            parameters.require_json(request.headers.get("content-type"))
            asked = parameters.from_body(await self._body(request, deadline))
        else:
            asked = parameters.from_query(request.query_params)
        context = self._context(request, visitor, address, deadline)
        return await self._executor.run(asked, context, deadline=deadline, mutations_allowed=posted)

    async def _body(self, request: Request, deadline: Deadline) -> bytes:
        """The body, bounded in size and in time: a client that dribbles must not hold a place."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await wire.read_body(headers, request.receive, self._settings.max_body)
        except TimeoutError:
            raise codes.DEADLINE_EXCEEDED.error("The body did not arrive in time.") from None

    def _context(
        self, request: Request, visitor: Visitor, address: str, deadline: Deadline
    ) -> Context:
        call = Call(
            correlation_id=request.scope["correlation_id"],
            deadline=deadline.earlier(min(ANSWER_MARGIN, deadline.remaining() / 10)),
            user=visitor.user,
            user_token=visitor.token,
            traceparent=request.scope["traceparent"],
        )

        async def admit_credentials(email: str | None) -> None:
            await self._limiter.credentials(address, email)

        return Context(
            Ask(call, self._downstream),
            rejected_token=visitor.rejected,
            admit_credentials=admit_credentials,
        )


def _response(answer: Answer, media: str, headers: dict[str, str]) -> Response:
    headers["vary"] = "Accept, Authorization"
    waits = [error["extensions"]["retryAfterSeconds"] for error in answer.errors]
    known = [wait for wait in waits if wait is not None]
    if known and answer.status >= 400:
        headers.setdefault("retry-after", str(max(1, math.ceil(max(known)))))
    if answer.status == codes.METHOD_NOT_ALLOWED.status:
        headers["allow"] = "POST"
    return Response(
        _encoder.encode(answer.as_json()),
        answer.status,
        headers,
        media_type=f"{media}; charset=utf-8",
    )
