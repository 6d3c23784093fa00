"""Bytes in, bytes out: bounded bodies, JSON by msgspec, problem documents. The ASGI edge of an operation."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from chassis import codes
from chassis.errors import CodedError, to_problem

JSON = b"application/json"
PROBLEM = b"application/problem+json"

_encoder = msgspec.json.Encoder()
PATH_IN_MESSAGE = re.compile(r"at `\$\.?([^`]*)`")
"""Where msgspec says that a value is wrong."""


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


async def read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The whole body, never more than `limit` bytes.

    Raises:
        CodedError: PAYLOAD_TOO_LARGE.
        ClientGone: nobody waits for the answer any more.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise codes.PAYLOAD_TOO_LARGE.error(f"The body may have {limit} bytes at most.")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > limit:
            raise codes.PAYLOAD_TOO_LARGE.error(f"The body may have {limit} bytes at most.")
        if not message.get("more_body", False):
            return body


def require_json(headers: Mapping[str, str]) -> None:
    """Raise UNSUPPORTED_MEDIA_TYPE unless the body is said to be JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise codes.UNSUPPORTED_MEDIA_TYPE.error()


def decode(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The request that `body` holds.

    Raises:
        CodedError: BAD_REQUEST when it is not JSON, INVALID_INPUT (with the field) when it does not fit.
    """
    try:
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        found = PATH_IN_MESSAGE.search(text)
        raise codes.INVALID_INPUT.error(text, field=found.group(1) if found else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise codes.BAD_REQUEST.error() from None
    if b"\\u0000" in body and _has_nul(msgspec.json.decode(body)):
        raise codes.INVALID_INPUT.error("A text contains the character U+0000; remove it.")
    return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, list):
        return any(_has_nul(item) for item in value)
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return False


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def headers_of(scope: Scope) -> dict[str, str]:
    """Request headers by lower-case name; the last of a repeated one wins."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


async def send_bytes(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes = JSON,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """One whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_problem(
    send: Send, error: CodedError, *, service: str, correlation_id: str | None
) -> None:
    """Tell `error` as a problem document, with Retry-After (whole seconds, rounded up) if known."""
    extra: tuple[tuple[bytes, bytes], ...] = ()
    if error.retry_after is not None:
        extra = ((b"retry-after", str(int(-(-error.retry_after // 1))).encode()),)
    body = encode(to_problem(error, correlation_id=correlation_id, service=service))
    await send_bytes(send, error.status, body, PROBLEM, extra)
