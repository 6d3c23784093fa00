"""Calling another service: typed by its contract, bounded by the deadline, honest about the outcome.

What the caller must know after a failure is whether the work may have been done. Before the request was
sent it was not (UNAVAILABLE); afterwards a lost answer leaves a doubt (OUTCOME_UNKNOWN), except for
reads, which change nothing.
"""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec

from chassis import codes, logs
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials
from chassis.errors import CodedError, Problem, Unreached, from_problem
from chassis.replicas import Replicas
from chassis.tracing import Kind, span
from chassis.verdicts import judge, refused
from resilience import (
    DeadlineExceeded,
    DeadlineOptions,
    Pipeline,
    PipelineOptions,
    ResilienceError,
    call_context,
    current_deadline,
)

Req = TypeVar("Req", bound=msgspec.Struct)
Res = TypeVar("Res", bound=msgspec.Struct)

MAX_ANSWER = 8_000_000
"""Bytes of an answer: a full batch with room. More is an error, never a full memory."""

CONNECT_TIMEOUT = 1.0
"""Seconds to open a connection on the same network."""

POOL_SIZE = 100
"""Connections to one service from one process."""

HOP_MARGIN = 0.010
"""Seconds kept back on each hop, so that the callee gives up before we do and can say why."""

_BETWEEN_SERVICES = frozenset({codes.SERVICE_UNAUTHENTICATED.name, codes.SERVICE_FORBIDDEN.name})

_log = logs.get("client")
_encoder = msgspec.json.Encoder()
_problem_decoder = msgspec.json.Decoder(Problem)


def open_session() -> aiohttp.ClientSession:
    """The connection pool that a process' clients share; close it when the process ends."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=POOL_SIZE, keepalive_timeout=30.0, ttl_dns_cache=30
        ),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT_TIMEOUT),
        auto_decompress=True,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class ServiceClient:
    """Calls the operations of one service, balanced over its replicas, through the service's pipeline.

    Args:
        service: name of the callee, as its credentials say.
        urls: base URLs of its replicas; one that refuses connections is passed over for the next.
        credentials: proves who we are; None for public operations.
        pipeline: the policies around the service. Without one, calls end in time, and that is all.
        max_seconds: longest that one call may take where there is no pipeline.
    """

    def __init__(
        self,
        service: str,
        urls: Sequence[str],
        *,
        session: aiohttp.ClientSession,
        credentials: Credentials | None,
        pipeline: Pipeline | None = None,
        max_seconds: float = 10.0,
    ) -> None:
        self.service = service
        self._replicas = Replicas(service, urls)
        self._session = session
        self._credentials = credentials
        self._decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
        if pipeline is None:
            deadline = DeadlineOptions(seconds=max_seconds)
            pipeline = Pipeline(service, PipelineOptions(deadline=deadline), classifier=judge)
        self._share = pipeline.read(self._attempt, key=_question)
        self._ask = pipeline.read(self._attempt)
        self._change = pipeline.mutation(self._attempt)

    async def call(self, call: Call, operation: Operation[Req, Res], request: Req) -> Res:
        """Carry `operation` out.

        Raises:
            CodedError: the callee's own code; UNAVAILABLE, CIRCUIT_BREAKER_OPEN or OVERLOADED when
                nothing was done; OUTCOME_UNKNOWN when something with an effect may have been;
                DEADLINE_EXCEEDED when there was no time to start or a read took too long.
        """
        body = _encoder.encode(request) if operation.method == "POST" else None
        doubt = _Doubt(operation)
        read = self._share if operation.shared else self._ask
        send = read if operation.reads else self._change
        key = str(operation) if operation.idempotent else None
        try:
            with call_context(
                deadline=call.deadline, priority=operation.priority, idempotency_key=key
            ):
                answer: Res = await send(call, operation, body, doubt)
        except (CodedError, ResilienceError) as error:
            raise doubt.told(error, self.service) from None
        return answer

    async def ping(self) -> None:
        """Raise unless a replica says that it lives. Asked past the policies, which it may end."""
        url = next(self._replicas.in_turn()).url
        async with self._session.get(f"{url}/health/live") as response:
            response.raise_for_status()

    async def _attempt(
        self, call: Call, operation: Operation[Any, Any], body: bytes | None, doubt: "_Doubt"
    ) -> Any:
        """One attempt: at one replica, or the next ones as long as none of them was reached."""
        left = _time_left(call)
        if left <= 0:
            raise DeadlineExceeded(f"{self.service}: no time is left to send the request")
        doubt.attempt()
        unreached: CodedError | None = None
        for attempt in self._replicas.in_turn():
            outcome: BaseException | None = None
            try:
                return await self._send(attempt.url, call, operation, body, doubt)
            except Unreached as error:
                outcome = unreached = error  # never connected, so never sent: the next one
            except BaseException as error:
                outcome = error
                raise
            finally:
                self._replicas.settle(attempt, outcome)
        assert unreached is not None  # noqa: S101 - there is at least one replica
        raise unreached

    async def _send(
        self,
        url: str,
        call: Call,
        operation: Operation[Any, Any],
        body: bytes | None,
        doubt: "_Doubt",
    ) -> Any:
        """The answer, decoded."""
        with span(str(operation), Kind.CLIENT, parent=call.traceparent) as attempt:
            attempt.tell("peer.service", self.service)
            attempt.tell("baluarte.attempt", doubt.attempts)
            return await self._exchange(
                url, self._headers(call, operation, attempt.traceparent), operation, body, doubt
            )

    async def _exchange(
        self,
        url: str,
        headers: dict[str, str],
        operation: Operation[Any, Any],
        body: bytes | None,
        doubt: "_Doubt",
    ) -> Any:
        doubt.sent()
        try:
            async with self._session.request(
                operation.method,
                url + operation.path,
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as response:
                status, answer = response.status, await self._read(operation, response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            doubt.settled()
            raise Unreached.of(
                codes.UNAVAILABLE.error(
                    f"The {self.service} service cannot be reached; nothing was done.",
                    service=self.service,
                )
            ) from None
        except aiohttp.ClientError:
            raise self._lost(operation) from None
        if status == 200:
            return self._decode(operation, answer)
        error = self._refused(operation, status, answer)
        if error.code != codes.OUTCOME_UNKNOWN.name:
            doubt.settled()
        raise error

    def _headers(
        self, call: Call, operation: Operation[Any, Any], traceparent: str | None
    ) -> dict[str, str]:
        left = max(0, int(_time_left(call) * 1000))
        headers = {"deadline-ms": str(left), "x-correlation-id": call.correlation_id}
        if operation.method == "POST":
            headers["content-type"] = "application/json"
        if self._credentials is not None and operation.callers:
            headers["authorization"] = f"Bearer {self._credentials.token_for(self.service)}"
        if call.user_token is not None:
            headers["user-authorization"] = f"Bearer {call.user_token}"
        if traceparent is not None:
            headers["traceparent"] = traceparent
        return headers

    async def _read(
        self, operation: Operation[Any, Any], response: aiohttp.ClientResponse
    ) -> bytes:
        body = await response.content.read(MAX_ANSWER + 1)
        while len(body) <= MAX_ANSWER and not response.content.at_eof():
            body += await response.content.read(MAX_ANSWER + 1 - len(body))
        if len(body) > MAX_ANSWER:
            raise self._lost(operation)
        return body

    def _decode(self, operation: Operation[Any, Res], answer: bytes) -> Res:
        decoder = self._decoders.get(operation.response)
        if decoder is None:
            decoder = self._decoders[operation.response] = msgspec.json.Decoder(operation.response)
        try:
            decoded: Res = decoder.decode(answer)
        except msgspec.MsgspecError:
            raise self._lost(operation) from None
        return decoded

    def _lost(self, operation: Operation[Any, Any]) -> CodedError:
        """The truth after a request went out and no good answer came back."""
        if operation.reads:
            return codes.UNAVAILABLE.error(
                f"The {self.service} service gave no usable answer.", service=self.service
            )
        return codes.OUTCOME_UNKNOWN.error(service=self.service)

    def _refused(self, operation: Operation[Any, Any], status: int, answer: bytes) -> CodedError:
        try:
            error = from_problem(_problem_decoder.decode(answer))
        except msgspec.MsgspecError:
            if status >= 500:
                return self._lost(operation)  # something between us failed
            return codes.UNAVAILABLE.error(
                f"The {self.service} service answered {status} without saying why.",
                service=self.service,
            )
        if error.code in _BETWEEN_SERVICES:
            # A clock that is off, a key that is not trusted: no business of whoever asks us.
            _log.error("credential refused", dependency=self.service, code=error.code)
            return codes.UNAVAILABLE.error(
                f"The {self.service} service does not accept our credential; nothing was done.",
                service=self.service,
            )
        return error


class _Doubt:
    """Whether a change may have been carried out by one of the attempts at it.

    The last attempt's error alone does not tell: after a lost answer, "the breaker is open, nothing was
    done" is true of the second attempt and a lie about the call.
    """

    __slots__ = ("_earlier", "_now", "_operation", "attempts")

    def __init__(self, operation: Operation[Any, Any]) -> None:
        self._operation = operation
        self._earlier = False
        self._now = False
        self.attempts = 0

    def attempt(self) -> None:
        """Another attempt begins."""
        self._earlier = self._earlier or self._now
        self._now = False
        self.attempts += 1

    def sent(self) -> None:
        """From here on the request may have its effect."""
        self._now = True

    def settled(self) -> None:
        """The callee said what became of it, or it was never sent."""
        self._now = False

    def told(self, error: CodedError | ResilienceError, service: str) -> CodedError:
        """The error to tell the caller."""
        coded = error if isinstance(error, CodedError) else refused(error, service)
        if self._operation.reads or not (self._now or self._earlier):
            return coded
        if not self._now and coded.code in _DEFINITE_AFTER_DOUBT:
            return coded
        return codes.OUTCOME_UNKNOWN.error(service=service, retry_after=coded.retry_after)


_DEFINITE_AFTER_DOUBT = frozenset(
    code.name for code in codes.all_codes() if not code.retryable and code.status in (404, 409, 422)
)
"""Answers about the request itself, which say that no earlier attempt at it has succeeded. A refusal of the
caller (a token that has just expired) says nothing of the kind."""


def _time_left(call: Call) -> float:
    """Seconds that the callee may take, so that it gives up before we do and can say why."""
    deadline = current_deadline()
    left = call.deadline.remaining() if deadline is None else deadline.remaining()
    return left - HOP_MARGIN


def _question(
    call: Call,
    operation: Operation[Any, Any],
    body: bytes | None,
    doubt: _Doubt,  # noqa: ARG001 - the wrapped function takes it
) -> Hashable:
    """What the answer to a shared read depends on: what is asked, and as whom."""
    return operation.service, operation.name, body, call.user_token
