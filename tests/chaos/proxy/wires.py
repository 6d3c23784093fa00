"""Real sockets for tests of the proxy: upstreams that behave as told, and clients of them through an edge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from chaos.proxy.addresses import upstream_address
from chaos.proxy.dose import Dose, Stream
from chaos.proxy.edge import Edge, Options
from chaos.proxy.limits import Limits
from chaos.proxy.toxics.toxic import Toxic
from tests.chaos.proxy.fakes import FakeClock
from tests.waiting import eventually

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says back what it hears, and ends when the client has."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


class Upstream:
    """A server whose connections can be looked at."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.address = ""
        self.open: set[asyncio.StreamWriter] = set()
        self.seen = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self.seen += 1
        try:
            with contextlib.suppress(ConnectionError):
                await self._handler(reader, writer)
        finally:
            await hang_up(writer)
            self.open.discard(writer)


@contextlib.asynccontextmanager
async def upstream(handler: Handler = echo) -> AsyncIterator[Upstream]:
    """A server on a free port, for as long as the block lasts."""
    served = Upstream(handler)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        for writer in list(served.open):
            writer.transport.abort()
        await eventually(lambda: not served.open, why="the upstream's connections end")


@contextlib.asynccontextmanager
async def edge_to(
    address: str, *toxics: tuple[Stream, Toxic], options: Options | None = None
) -> AsyncIterator[Edge]:
    """A started edge; when the block ends it must be gone without a trace."""
    edge = Edge("edge", "127.0.0.1:0", upstream_address(address), options or Options())
    for stream, toxic in toxics:
        edge.add(Dose(f"{toxic.kind}_{stream}", stream, toxic))
    await edge.start()
    try:
        yield edge
    finally:
        edge.close()
        await eventually(lambda: not edge.busy, why="the edge is quiet")
        if isinstance(edge.clock, FakeClock):
            assert edge.clock.waiting == 0, "a timer was left behind"


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        yield reader, writer
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def heard(reader: asyncio.StreamReader, size: int = -1) -> bytes:
    """`size` bytes, or everything up to the end; at most five seconds."""
    async with asyncio.timeout(5):
        return await (reader.read() if size < 0 else reader.readexactly(size))


def with_clock(clock: FakeClock, **limits: float) -> Options:
    return Options(clock=clock, limits=Limits(**limits))  # type: ignore[arg-type]
