"""Plain connections to PostgreSQL for the operator's side: probing, creating, dropping."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresError

# What a connection or a query raises when the server is away, starting, dying, or refuses us.
CONNECTION_ERRORS = (OSError, PostgresError, TimeoutError, InterfaceError, InternalClientError)
_CLOSE_SECONDS = 1.0


async def open_connection(url: str, *, timeout: float = 5.0, ssl: bool | None = None) -> Any:
    """An asyncpg connection, to be closed by the caller. `ssl=False` saves a try on loopback."""
    return await asyncpg.connect(url, timeout=timeout, ssl=ssl)  # type: ignore[no-untyped-call]


@contextlib.asynccontextmanager
async def connection(
    url: str, *, timeout: float = 5.0, ssl: bool | None = None
) -> AsyncIterator[Any]:
    """One connection, closed at the end."""
    opened = await open_connection(url, timeout=timeout, ssl=ssl)
    try:
        yield opened
    finally:
        try:
            await opened.close(timeout=_CLOSE_SECONDS)
        except CONNECTION_ERRORS:
            opened.terminate()
