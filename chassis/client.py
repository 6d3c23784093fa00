"""Calling another service: typed by its contract, bounded by the deadline, honest about the outcome.

What the caller must know after a failure is whether the work may have been done. Before the request was
sent it was not (UNAVAILABLE); afterwards a lost answer leaves a doubt (OUTCOME_UNKNOWN), except for
reads, which change nothing.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec

from chassis import codes
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials
from chassis.errors import CodedError, Problem, from_problem

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
    """Calls the operations of one service, balanced over its replicas.

    Args:
        service: name of the callee, as its credentials say.
        urls: base URLs of its replicas; one that refuses connections is passed over for the next.
        credentials: proves who we are; None for public operations.
        max_seconds: longest that one call may take, whatever the deadline leaves.
    """

    def __init__(
        self,
        service: str,
        urls: Sequence[str],
        *,
        session: aiohttp.ClientSession,
        credentials: Credentials | None,
        max_seconds: float = 10.0,
    ) -> None:
        if not urls:
            raise ValueError(f"no URL for the {service} service")
        self.service = service
        self._urls = tuple(urls)
        self._session = session
        self._credentials = credentials
        self._max_seconds = max_seconds
        self._turn = itertools.count()
        self._decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}

    async def call(self, call: Call, operation: Operation[Req, Res], request: Req) -> Res:
        """Carry `operation` out.

        Raises:
            CodedError: the callee's own code; UNAVAILABLE when nothing was done; OUTCOME_UNKNOWN when
                something with an effect may have been; DEADLINE_EXCEEDED when there was no time to start
                or a read took too long.
        """
        left = min(call.deadline.remaining(), self._max_seconds) - HOP_MARGIN
        if left <= 0:
            raise codes.DEADLINE_EXCEEDED.error(service=self.service)
        body = _encoder.encode(request) if operation.method == "POST" else None
        give_up = time.monotonic() + left
        try:
            async with asyncio.timeout(left):
                status, answer = await self._send(call, operation, body, give_up)
        except TimeoutError:
            raise self._lost(operation, codes.DEADLINE_EXCEEDED) from None
        if status == 200:
            return self._decode(operation, answer)
        raise self._refused(operation, status, answer)

    async def ping(self) -> None:
        """Raise unless a replica says that it lives."""
        async with self._session.get(f"{self._next_urls()[0]}/health/live") as response:
            response.raise_for_status()

    def _next_urls(self) -> tuple[str, ...]:
        start = next(self._turn) % len(self._urls)
        return self._urls[start:] + self._urls[:start]

    async def _send(
        self, call: Call, operation: Operation[Any, Any], body: bytes | None, give_up: float
    ) -> tuple[int, bytes]:
        """One attempt per replica, as long as none of them was reached."""
        for url in self._next_urls():
            headers = self._headers(call, operation, give_up)
            try:
                async with self._session.request(
                    operation.method,
                    url + operation.path,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                ) as response:
                    return response.status, await self._read(operation, response)
            except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError) as error:
                if isinstance(error, aiohttp.SocketTimeoutError):
                    raise self._lost(operation, codes.UNAVAILABLE) from None
                continue  # never connected, so never sent
            except aiohttp.ClientError:
                raise self._lost(operation, codes.UNAVAILABLE) from None
        raise codes.UNAVAILABLE.error(
            f"The {self.service} service cannot be reached; nothing was done.", service=self.service
        )

    def _headers(
        self, call: Call, operation: Operation[Any, Any], give_up: float
    ) -> dict[str, str]:
        left = max(0, int((give_up - time.monotonic()) * 1000))
        headers = {"deadline-ms": str(left), "x-correlation-id": call.correlation_id}
        if operation.method == "POST":
            headers["content-type"] = "application/json"
        if self._credentials is not None and operation.callers:
            headers["authorization"] = f"Bearer {self._credentials.token_for(self.service)}"
        if call.user_token is not None:
            headers["user-authorization"] = f"Bearer {call.user_token}"
        if call.traceparent is not None:
            headers["traceparent"] = call.traceparent
        return headers

    async def _read(
        self, operation: Operation[Any, Any], response: aiohttp.ClientResponse
    ) -> bytes:
        body = await response.content.read(MAX_ANSWER + 1)
        while len(body) <= MAX_ANSWER and not response.content.at_eof():
            body += await response.content.read(MAX_ANSWER + 1 - len(body))
        if len(body) > MAX_ANSWER:
            raise self._lost(operation, codes.UNAVAILABLE)
        return body

    def _decode(self, operation: Operation[Any, Res], answer: bytes) -> Res:
        decoder = self._decoders.get(operation.response)
        if decoder is None:
            decoder = self._decoders[operation.response] = msgspec.json.Decoder(operation.response)
        try:
            decoded: Res = decoder.decode(answer)
        except msgspec.MsgspecError:
            raise self._lost(operation, codes.UNAVAILABLE) from None
        return decoded

    def _lost(self, operation: Operation[Any, Any], read_code: codes.Code) -> CodedError:
        """The truth after a request went out and no good answer came back."""
        if operation.reads:
            return read_code.error(
                f"The {self.service} service gave no usable answer in time.", service=self.service
            )
        return codes.OUTCOME_UNKNOWN.error(service=self.service)

    def _refused(self, operation: Operation[Any, Any], status: int, answer: bytes) -> CodedError:
        try:
            return from_problem(_problem_decoder.decode(answer))
        except msgspec.MsgspecError:
            if status >= 500:
                return self._lost(operation, codes.UNAVAILABLE)  # something between us failed
            return codes.UNAVAILABLE.error(
                f"The {self.service} service answered {status} without saying why.",
                service=self.service,
            )
