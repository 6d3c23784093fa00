"""A server that accepts and never answers, and how much the loop lags beside whoever asks it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import redis.asyncio

SECONDS = 0.6


async def lag_beside_a_silent_server(
    use: Callable[[redis.asyncio.Redis], Callable[[], Awaitable[object]]],
) -> float:
    """The loop's lag in seconds (the 99th percentile) while what `use(client)` yields is called."""
    connections: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = redis.asyncio.Redis(host="127.0.0.1", port=port, protocol=2)
    ask = use(client)
    lags: list[float] = []

    async def watch() -> None:
        while True:
            before, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            # What this thread did meanwhile; a machine that gave it no time is not our lag.
            lags.append(min(time.perf_counter() - before - 0.001, time.thread_time() - busy))

    watcher = asyncio.create_task(watch())
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        await ask()
        await asyncio.sleep(0.005)
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    await client.aclose(close_connection_pool=True)
    for writer in connections:
        writer.close()
    server.close()
    await server.wait_closed()
    # The first ones hold the making of connections, which is the client's.
    return sorted(lags)[int(0.99 * len(lags))]
