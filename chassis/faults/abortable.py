"""An HTTP server whose app can break the connection, which ASGI alone has no word for.

It is in use only where a fault point is. Returning without an answer would not do: uvicorn then sends 500.
"""

import asyncio
import socket
import struct
from typing import Any, cast

from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.faults.exchange import EXTENSION
from chassis.faults.point import IN_STATE, STOPPING, FaultPoint

_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST and drops what was not sent."""


class AbortableHttp(HttpToolsProtocol):
    """uvicorn's protocol, with the connection as an ASGI extension."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope["extensions"] = {EXTENSION: _Connection(self.transport)}

    def shutdown(self) -> None:
        """The server stops: what faults keep waiting must not keep it waiting."""
        point: FaultPoint = getattr(cast("Starlette", self.config.app).state, IN_STATE)
        point.end_all(STOPPING)
        super().shutdown()


class _Connection:
    """See `chassis.faults.exchange.Connection`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        raw = self._transport.get_extra_info("socket")
        if raw is not None and not self._transport.is_closing():
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()
