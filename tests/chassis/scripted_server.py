"""An HTTP server whose answers are scripted, byte by byte: what no well-behaved server sends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

LOST = b""
"""The connection ends after the request was read: it may have been carried out."""

HANG = b"<hang>"
"""The request is read, and nothing ever comes."""


def answer(status: int, body: bytes, kind: str = "application/json") -> bytes:
    """A whole HTTP/1.1 answer after which the connection closes."""
    head = (
        f"HTTP/1.1 {status} X",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        "\r\n",
    )
    return "\r\n".join(head).encode() + body


def problem(status: int, code: str) -> bytes:
    """A problem document."""
    said = {
        "type": "x",
        "title": "x",
        "status": status,
        "detail": "x",
        "code": code,
        "retryable": status == 503,
    }
    return answer(status, json.dumps(said).encode(), "application/problem+json")


@dataclass
class Scripted:
    """The server: `requests` holds the head of each request that it read."""

    url: str
    script: list[bytes]
    requests: list[bytes] = field(default_factory=list)


@contextlib.asynccontextmanager
async def scripted_server(script: Sequence[bytes]) -> AsyncIterator[Scripted]:
    """Serve `script`, one entry per request; the last entry is repeated."""
    there = Scripted("", list(script))
    hanging: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            there.requests.append(await reader.readuntil(b"\r\n\r\n"))
            said = there.script.pop(0) if len(there.script) > 1 else there.script[0]
            if said == HANG:
                hanging.append(writer)
                return
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    there.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield there
    finally:
        for writer in hanging:
            writer.close()
        server.close()
        await server.wait_closed()
