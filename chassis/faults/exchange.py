"""One request and its connection, as an HTTP effect handles it."""

import asyncio
from collections import deque
from typing import Protocol

from starlette.types import Message, Receive, Scope, Send

EXTENSION = "baluarte.connection"
"""ASGI extension by which the server lets the app end a connection; see `chassis/faults/abortable.py`."""

CLOSE_SECONDS = 5.0
"""Seconds that a client has to take what was sent to it before its connection closes."""

BUFFER_LIMIT = 1_000_000
"""Bytes of a request's body that are taken in before a pause: what an operation takes at most."""


class Connection(Protocol):
    """How the server ends a connection on behalf of the app."""

    def reset(self) -> None:
        """At once, dropping what was not sent: the client gets RST."""
        ...

    def close(self) -> None:
        """Once everything was sent: the client gets FIN."""
        ...


class Exchange:
    """One request: what ASGI gives, and what ASGI has no word for.

    Attributes:
        service: who is asked.
    """

    def __init__(self, service: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.service = service
        self.scope = scope
        self.receive = receive
        self.send = send

    async def reset(self) -> None:
        """Break the connection, so that the client sees no answer, or half of one."""
        self._connection.reset()
        await self.gone()

    async def hang_up(self) -> None:
        """Close the connection behind what was sent."""
        self._connection.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.gone()
        except TimeoutError:  # a client that does not read
            await self.reset()

    async def gone(self) -> None:
        """Return when the connection is over. What the client still sends is dropped."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def buffered(self) -> Receive:
        """Take the request's body in, and return what gives it again.

        A client that gives up during a pause has then asked all the same, as it has when a network or a
        queue is slow: the handler runs.
        """
        taken: deque[Message] = deque()
        size, more = 0, True
        while more and size <= BUFFER_LIMIT:
            message = await self.receive()
            taken.append(message)
            size += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)

        async def again() -> Message:
            return taken.popleft() if taken else await self.receive()

        return again

    @property
    def _connection(self) -> Connection:
        try:
            connection: Connection = self.scope["extensions"][EXTENSION]
        except KeyError:
            raise RuntimeError(
                "the server cannot break connections; serve with chassis.server.server_config"
            ) from None
        return connection
