"""Requests to the owners of faults and to the processes: small, bounded, with errors in words."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import msgspec

from chaos.engine.ports import OwnerError

ANSWER_SECONDS: Final = 4.0
"""For one answer: owners are near."""

PAGE_SECONDS: Final = 1.0
"""For a page of metrics: one that is late is a gap in a curve, and no reason to wait."""

MAX_BYTES: Final = 8 * 1024 * 1024

NOT_FOUND: Final = 404


class Wire:
    """One HTTP session for a run. Nothing goes through a proxy of the environment's."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(
        self,
        method: str,
        url: str,
        *,
        token: str = "",
        body: dict[str, Any] | None = None,
    ) -> Any:
        """The answer's JSON; None where the path is unknown (404) or the answer is empty.

        Raises:
            OwnerError: no answer, or a refusal, with the owner's own words.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self._session.request(
                method, url, json=body, headers=headers, timeout=timeout
            ) as answer:
                text = await answer.content.read(MAX_BYTES)
                if answer.status == NOT_FOUND:
                    return None
                if answer.status >= 400:
                    said = text.decode(errors="replace")[:500]
                    raise OwnerError(f"{method} {url} was refused ({answer.status}): {said}")
                return msgspec.json.decode(text) if text else None
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise OwnerError(f"{method} {url}: {type(error).__name__} {error}".rstrip()) from error

    async def page(self, url: str) -> str | None:
        """A page of text; None when it does not come."""
        timeout = aiohttp.ClientTimeout(total=PAGE_SECONDS)
        try:
            async with self._session.get(url, timeout=timeout) as answer:
                if answer.status != 200:
                    return None
                return (await answer.content.read(MAX_BYTES)).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


@contextlib.asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    """A wire while the block runs."""
    connector = aiohttp.TCPConnector(limit=32, force_close=True)  # a paused peer keeps none of ours
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        yield Wire(session)
