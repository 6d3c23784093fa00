"""The client: it signs in, asks one thing at a time, and scrapes as Prometheus does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import aiohttp

from baluarte.demo_data import PASSWORD, USERS
from benchmarks.observability.branches import MODULES, Branch

ME = "{ me { id name email } }"
LOGIN = "mutation L($input: LoginInput!) { login(input: $input) { accessToken } }"

SCRAPER = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
    "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
"""What Prometheus 2 sends."""

EVERY = 1.0
"""Seconds between two scrapes, where requests are scraped beside."""


async def sign_in(session: aiohttp.ClientSession, url: str) -> str:
    """The access token of a demo customer."""
    person = {"email": USERS[0].email, "password": PASSWORD}
    body = {"query": LOGIN, "variables": {"input": person}}
    async with session.post(f"{url}/graphql", json=body) as answer:
        token: str = (await answer.json())["data"]["login"]["accessToken"]
    return token


class Client:
    """A customer with one connection.

    Attributes:
        asked: requests so far.
        spoilt: those whose answer was not whole and fresh: the machine was too busy to serve them in time.
    """

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}
        self.asked = self.spoilt = 0

    async def ask(self, branch: Branch) -> float:
        """Seconds that `me` took."""
        began = time.perf_counter()
        async with self._session.post(
            f"{branch.url('gateway')}/graphql", json={"query": ME}, headers=self._headers
        ) as answer:
            text = await answer.read()
        seconds = time.perf_counter() - began
        self.asked += 1
        self.spoilt += answer.status != 200 or b"errors" in text or b"degraded" in text
        return seconds

    async def count(self, branch: Branch, requests: int) -> list[float]:
        """So many requests, one after the other."""
        return [await self.ask(branch) for _ in range(requests)]

    async def last(self, branch: Branch, seconds: float) -> list[float]:
        """Requests one after the other, for so long."""
        end, found = time.perf_counter() + seconds, []
        while time.perf_counter() < end:
            found.append(await self.ask(branch))
        return found


async def scrape(session: aiohttp.ClientSession, url: str) -> int:
    """Ask for the metrics once. Returns the bytes that came over the wire."""
    # Not decompressed: the bytes of the wire count, and undoing it is the scraper's work.
    async with session.get(f"{url}/metrics", headers=SCRAPER, raise_for_status=True) as answer:
        page = await answer.read()
    return len(page)


@contextlib.asynccontextmanager
async def scraping(session: aiohttp.ClientSession, branch: Branch) -> AsyncIterator[list[int]]:
    """Both processes scraped each second, from the middle of the first on; yields the pages' sizes."""
    sizes: list[int] = []

    async def work() -> None:
        await asyncio.sleep(EVERY / 2)
        while True:
            due = time.perf_counter() + EVERY
            urls = (branch.url(process) for process in MODULES)
            sizes.extend(await asyncio.gather(*(scrape(session, url) for url in urls)))
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    task = asyncio.create_task(work())
    try:
        yield sizes
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: of 20 values, the 19th for 0.95."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
