"""Pages of text from the platform's processes: small, bounded, and late ones are done without."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

PAGE_SECONDS: Final = 1.0
"""For a page of metrics: one that is late is a gap in a curve, and no reason to wait."""

MAX_BYTES: Final = 8 * 1024 * 1024


class Wire:
    """One HTTP session for a run. Nothing goes through a proxy of the environment's."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def page(self, url: str) -> str | None:
        """A page of text; None when it does not come."""
        timeout = aiohttp.ClientTimeout(total=PAGE_SECONDS)
        try:
            async with self._session.get(url, timeout=timeout) as answer:
                if not answer.ok:
                    return None
                page = await answer.content.read(MAX_BYTES)
                return page.decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


@contextlib.asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    """A wire while the block runs."""
    connector = aiohttp.TCPConnector(limit=32, force_close=True)  # a paused peer keeps none of ours
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        yield Wire(session)
