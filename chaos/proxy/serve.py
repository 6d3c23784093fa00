"""A proxy server as a part of another program, or of `python -m chaos.proxy`.

async with serving(port=0) as server:
    await server.proxies.create(NewProxy(name="users-postgres", upstream="127.0.0.1:5432"))
    print(server.url)
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from chaos.proxy.addresses import LOOPBACK, Address, listening_socket, name_of
from chaos.proxy.api import Api
from chaos.proxy.collection import Collection
from chaos.proxy.edge import Options
from chaos.proxy.messages import NewProxy

DEFAULT_PORT = 8474
"""Toxiproxy's."""

GOODBYE_SECONDS = 1.0
"""For answers of the API that are under way when it stops."""


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """A running proxy server.

    Attributes:
        url: of its API, for any client of Toxiproxy.
        proxies: the same proxies, without HTTP.
    """

    url: str
    proxies: Collection


@asynccontextmanager
async def serving(
    proxies: Sequence[NewProxy] = (),
    *,
    host: str = LOOPBACK,
    port: int = DEFAULT_PORT,
    options: Options | None = None,
) -> AsyncIterator[ProxyServer]:
    """Serve the API on `host:port` (0: any free port), with these proxies from the start.

    When the block ends, nothing is left: no listener, connection, timer or task.

    Raises:
        ApiError: an address cannot be had, or a proxy is not valid.
    """
    options = options or Options()
    collection = Collection(options)
    runner = web.AppRunner(Api(collection).app(), access_log=None, shutdown_timeout=GOODBYE_SECONDS)
    try:
        listener = await listening_socket(
            str(Address(host, port)), allow_remote=options.allow_remote
        )
        await runner.setup()
        await web.SockSite(runner, listener).start()
        _, error = await collection.populate(proxies)
        if error is not None:
            raise error
        yield ProxyServer(f"http://{name_of(listener)}", collection)
    finally:
        await runner.cleanup()
        await collection.close()
