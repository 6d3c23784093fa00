"""GraphQL as a client of the platform speaks it."""

import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from chaos.explore.answer import Answer, read
from chaos.explore.judge import OPERATION_SECONDS
from chaos.explore.port import PlatformError

PATIENCE_SECONDS: Final = OPERATION_SECONDS * 2
"""How long a late answer is waited for, so that its lateness is known."""


class Gateway:
    """One gateway.

    Args:
        session: connections.
        url: its base URL.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def sdl(self) -> str:
        """The schema with its declarations. Raises `PlatformError`."""
        try:
            async with self._session.get(f"{self._url}/schema.graphql") as response:
                response.raise_for_status()
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PlatformError(f"{self._url}/schema.graphql cannot be read: {error}") from error

    async def ask(
        self,
        document: str,
        variables: Mapping[str, Any],
        token: str | None,
        correlation: str,
    ) -> Answer:
        """Send one operation once; whatever comes back is an answer."""
        headers = {"content-type": "application/json", "x-correlation-id": correlation}
        if token:
            headers["authorization"] = f"Bearer {token}"
        content = msgspec.json.encode({"query": document, "variables": dict(variables)})
        began = time.monotonic()
        patience = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        try:
            async with self._session.post(
                f"{self._url}/graphql", data=content, headers=headers, timeout=patience
            ) as response:
                body = await response.read()
                ended = time.monotonic()
                return read(response.status, body, ended - began, ended)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            ended = time.monotonic()
            trouble = f"no answer: {type(error).__name__}: {error}"
            return Answer(0, None, ended - began, ended, trouble)
