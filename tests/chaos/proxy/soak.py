"""Many connections through a proxy in a process of its own, for as long as wanted, and what is left of them.

Each of N seats holds a connection open and talks over it every now and then, checking each echo; it leaves
in good order, half-closes, or tears the connection, and takes the next. Toxics come with leases and end on
their own; some reset connections. When all have left, the process must be as it was before.
"""

import asyncio
import contextlib
import os
import resource
import struct
from dataclasses import dataclass
from pathlib import Path
from random import Random
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import aiohttp

from tests.chaos.proxy.running import Running, running_proxy
from tests.chaos.proxy.wires import echo, hang_up, upstream
from tests.waiting import eventually

MIB = 1_048_576
GROWTH_MIB = 16
"""Resident memory that may come on top in the second half: allocators keep pages, leaks keep on."""

TOXICS: tuple[dict[str, Any], ...] = (
    {"type": "latency", "attributes": {"latency": 20, "jitter": 20}},
    {"type": "slicer", "attributes": {"average_size": 50, "size_variation": 40, "delay": 200}},
    {"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 100}},
    {"type": "slow_close", "attributes": {"delay": 100}},
    {"type": "reset_peer", "stream": "upstream", "toxicity": 0.02},
    {"type": "limit_data", "toxicity": 0.1, "attributes": {"bytes": 500}},
)


@dataclass
class Soak:
    """What is to be done, and what came of it."""

    connections: int
    seconds: float
    seed: int = 1
    opened: int = 0
    echoed: int = 0
    broken: int = 0
    most_at_once: int = 0


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def seat(soak: Soak, listen: str, until: float, rng: Random) -> None:
    """Take one connection after the other until the time is over."""
    loop = asyncio.get_running_loop()
    host, _, port = listen.partition(":")
    await asyncio.sleep(rng.uniform(0, min(5.0, soak.seconds / 4)))
    while loop.time() < until:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            soak.opened += 1
            try:
                await visit(soak, reader, writer, rng, until)
            finally:
                await hang_up(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            soak.broken += 1
            await asyncio.sleep(0.05)


async def visit(
    soak: Soak,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    rng: Random,
    until: float,
) -> None:
    for _ in range(rng.randint(1, 5)):
        said = rng.randbytes(rng.randint(1, 2_000))
        writer.write(said)
        async with asyncio.timeout(60):
            assert await reader.readexactly(len(said)) == said
        soak.echoed += 1
        left = until - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(left, rng.uniform(0.1, soak.seconds / 10))))
    manner = rng.choice(("closes", "half-closes", "tears"))
    if manner == "half-closes":
        writer.write_eof()
        async with asyncio.timeout(60):
            assert await reader.read() == b""
    elif manner == "tears":
        raw = writer.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


async def afflict(client: aiohttp.ClientSession, url: str, soak: Soak) -> None:
    """One toxic after the other, each with a lease, until cancelled."""
    pause = soak.seconds / (3 * len(TOXICS))
    while True:
        for toxic in TOXICS:
            await client.post(url, json={**toxic, "lease_seconds": pause * 1.5})
            await asyncio.sleep(pause)


async def run_soak(soak: Soak) -> dict[str, Any]:
    """Do it. Returns figures; raises AssertionError when something is left behind."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * soak.connections + 1_000), hard))
    try:
        with running_proxy("--seed", str(soak.seed)) as running:
            async with upstream(echo) as server, aiohttp.ClientSession() as client:
                return await _soak(soak, running, server.address, client)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _soak(
    soak: Soak, running: Running, address: str, client: aiohttp.ClientSession
) -> dict[str, Any]:
    loop, pid = asyncio.get_running_loop(), running.process.pid
    new = {"name": "p", "upstream": address, "listen": "127.0.0.1:0"}
    async with client.post(f"{running.url}/proxies", json=new) as answer:
        listen = (await answer.json())["listen"]
    toxics = f"{running.url}/proxies/p/toxics"
    before = descriptors(pid)
    until = loop.time() + soak.seconds
    rng = Random(soak.seed)
    seats = [
        asyncio.create_task(seat(soak, listen, until, Random(rng.random())))
        for _ in range(soak.connections)
    ]
    afflicting = asyncio.create_task(afflict(client, toxics, soak))
    warm = 0
    while loop.time() < until and not any(done.done() for done in seats):
        await asyncio.sleep(min(1.0, soak.seconds / 10))
        soak.most_at_once = max(soak.most_at_once, (descriptors(pid) - before) // 2)
        if not warm and loop.time() > until - soak.seconds / 2:
            warm = resident(pid)
    afflicting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await afflicting
    await asyncio.gather(*seats)

    async def quiet() -> bool:
        async with client.get(f"{running.url}/metrics") as answer:
            return 'baluarte_proxy_connections{proxy="p"} 0.0' in await answer.text()

    await eventually(quiet, 60, why="every connection is gone")
    await eventually(lambda: descriptors(pid) <= before, 60, why="every descriptor is closed")
    await eventually(lambda: _none(client, toxics), soak.seconds, why="every lease has ended")
    grown = (resident(pid) - warm) / MIB
    assert grown <= GROWTH_MIB, f"memory grew by {grown:.1f} MiB in the second half"
    return {
        "connections at once": soak.most_at_once,
        "connections in all": soak.opened,
        "echoes": soak.echoed,
        "broken by toxics": soak.broken,
        "descriptors left": descriptors(pid) - before,
        "MiB grown in the second half": round(grown, 1),
    }


async def _none(client: aiohttp.ClientSession, toxics: str) -> bool:
    async with client.get(toxics) as answer:
        return bool(await answer.json() == [])
