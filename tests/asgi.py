"""Serves an app on a free loopback port for as long as a block lasts: the same server as in production."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from chassis.server import server_config


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Base URL of the served app. Start-up errors are raised; shutdown is awaited."""
    # Named TCP: asyncio sets TCP_NODELAY on accepted sockets only where the protocol says so.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(server_config(app, "127.0.0.1", port))
    task = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        async with asyncio.timeout(10):
            while not server.started:
                if task.done():
                    task.result()
                    raise RuntimeError("the app did not start; see its log")
                await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        async with asyncio.timeout(10):
            await task
        listener.close()
