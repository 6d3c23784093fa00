"""The whole server: embedded, and that it leaves nothing behind."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

import chaos.proxy
from chaos.proxy import ApiError, NewProxy, serving
from chaos.proxy.dose import Dose, Stream
from chaos.proxy.edge import Edge
from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.slicer import Slicer
from tests.chaos.proxy.wires import connected, heard, upstream
from tests.waiting import eventually

NOBODY = "127.0.0.1:9"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0


def timers() -> int:
    """Timers of this loop that are set."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not handle.cancelled() for handle in scheduled)


def tasks() -> int:
    return len(asyncio.all_tasks())


async def talk(edge: Edge, times: int) -> None:
    for _ in range(times):
        async with connected(edge.listen) as (reader, writer):
            writer.write(b"hello")
            assert await heard(reader, 5) == b"hello"


async def test_many_connections_leave_nothing() -> None:
    """After many connections through toxics no connection, task, timer or descriptor is left."""
    async with (
        upstream() as server,
        serving([NewProxy(name="p", upstream=server.address)], port=0) as running,
    ):
        edge = running.proxies.get("p")
        edge.add(Dose("late", Stream.DOWNSTREAM, Latency(latency=2, jitter=2)))
        edge.add(Dose("cut", Stream.UPSTREAM, Slicer(average_size=1), toxicity=0.5))
        await talk(edge, 1)
        await eventually(lambda: not edge.busy and not server.open)
        before = descriptors(), tasks(), timers()

        await asyncio.gather(*(talk(edge, 10) for _ in range(12)))

        assert edge.accepted == 121
        await eventually(lambda: not edge.busy and not server.open)
        await eventually(lambda: (descriptors(), tasks(), timers()) == before)


async def test_leaving_ends_everything_at_once() -> None:
    """When the block ends in mid-traffic, clients are cut off, leases die, and nothing stays."""
    async with upstream() as server:
        before = tasks(), timers()
        async with serving([NewProxy(name="p", upstream=server.address)], port=0) as running:
            edge = running.proxies.get("p")
            edge.add(Dose("late", Stream.DOWNSTREAM, Latency(latency=60_000)), lease=60.0)
            host, _, port = edge.listen.partition(":")
            clients = [socket.create_connection((host, int(port))) for _ in range(20)]
            for client in clients:
                client.sendall(b"x")
            await eventually(lambda: edge.traffic[Stream.DOWNSTREAM].received == 20)

        assert not edge.busy
        assert not edge.doses
        for client in clients:
            client.settimeout(5)
            assert client.recv(1) == b""
            client.close()
        await eventually(lambda: not server.open)
        await eventually(lambda: (tasks(), timers()) == before)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


async def test_proxies_from_the_start_must_be_right() -> None:
    """A proxy that cannot be had keeps the server from starting, and nothing stays behind."""
    with pytest.raises(ApiError, match="missing required field: upstream at proxy 2"):
        async with serving([NewProxy(name="a", upstream=NOBODY), NewProxy(name="b")], port=0):
            pytest.fail("it started")


async def test_the_api_is_for_this_machine() -> None:
    """Serving the API where others reach it takes a word."""
    with pytest.raises(ApiError, match="--allow-remote"):
        async with serving(host="0.0.0.0", port=0):
            pytest.fail("it started")


async def test_it_is_embedded_on_any_free_port() -> None:
    """Two servers run beside each other in one process, each with its own proxies."""
    async with serving(port=0) as one, serving(port=0) as two, aiohttp.ClientSession() as client:
        await one.proxies.create(NewProxy(name="p", upstream=NOBODY))

        async with client.get(f"{one.url}/proxies") as answer:
            assert list(await answer.json()) == ["p"]
        async with client.get(f"{two.url}/proxies") as answer:
            assert await answer.json() == {}


def test_the_public_face_is_what_it_says() -> None:
    """Everything that `__all__` lists is there, and what an embedding program needs is listed."""
    assert all(hasattr(chaos.proxy, name) for name in chaos.proxy.__all__)
    assert {"serving", "NewProxy", "Options", "Limits", "ProxyServer"} <= set(chaos.proxy.__all__)
