"""Plain connections to PostgreSQL for the operator's side: probing, creating, dropping."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from asyncpg.exceptions import InterfaceError, PostgresError

# What a connection attempt raises when the server is away, starting, or refuses us.
CONNECTION_ERRORS = (OSError, PostgresError, TimeoutError, InterfaceError)
_CLOSE_SECONDS = 1.0


@contextlib.asynccontextmanager
async def connection(
    url: str, *, timeout: float = 5.0, ssl: bool | None = None
) -> AsyncIterator[Any]:
    """One connection, closed at the end. `ssl=False` saves a round trip on loopback."""
    opened = await asyncpg.connect(url, timeout=timeout, ssl=ssl)  # type: ignore[no-untyped-call]
    try:
        yield opened
    finally:
        try:
            await opened.close(timeout=_CLOSE_SECONDS)
        except CONNECTION_ERRORS:
            opened.terminate()
