"""A fault proxy with one edge, whose clock stands still, and its API."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from chaos.proxy import Limits, NewProxy, Options, ProxyServer, serving
from tests.chaos.proxy.calling import NOBODY, Answer, Call
from tests.chaos.proxy.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[ProxyServer]:
    options = Options(clock=clock, limits=Limits(proxies=5, toxics=3, body_bytes=4_096))
    async with serving([NewProxy(name="p", upstream=NOBODY)], port=0, options=options) as running:
        yield running


@pytest.fixture
async def call(server: ProxyServer) -> AsyncIterator[Call]:
    """`await call("GET", "/proxies")` → status and decoded body, None if empty."""
    async with aiohttp.ClientSession() as client:

        async def ask(method: str, path: str, body: Any = None, **headers: str) -> Answer:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            async with client.request(
                method, server.url + path, data=data, headers=headers
            ) as answer:
                content = await answer.read()
                if not content:
                    return answer.status, None
                if answer.content_type == "application/json":
                    return answer.status, json.loads(content)
                return answer.status, content.decode()

        yield ask
