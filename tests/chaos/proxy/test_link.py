"""Connections through an edge, on real sockets: what is forwarded, how it ends, and what it may hold."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from chaos.proxy.dose import Dose, Stream
from chaos.proxy.edge import Options
from chaos.proxy.limits import Limits
from chaos.proxy.toxics.bandwidth import Bandwidth
from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.limit_data import LimitData
from chaos.proxy.toxics.reset_peer import ResetPeer
from chaos.proxy.toxics.slicer import Slicer
from chaos.proxy.toxics.slow_close import SlowClose
from chaos.proxy.toxics.timeout import Timeout
from tests.chaos.proxy.fakes import FakeClock
from tests.chaos.proxy.wires import connected, echo, edge_to, hang_up, heard, upstream, with_clock
from tests.waiting import eventually

DOWN, UP = Stream.DOWNSTREAM, Stream.UPSTREAM
MIB = 1_048_576


async def through_both_directions() -> None:
    async with upstream() as server, edge_to(server.address) as edge:
        async with connected(edge.listen) as (reader, writer):
            payload = bytes(range(256)) * 8_192
            writer.write(payload)
            assert await heard(reader, len(payload)) == payload
        assert edge.traffic[UP].received == edge.traffic[UP].sent == len(payload)
        assert edge.traffic[DOWN].sent == len(payload)


async def half_closing() -> None:
    async def answers_after_the_end(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"got " + await reader.read())

    async with upstream(answers_after_the_end) as server, edge_to(server.address) as edge:
        async with connected(edge.listen) as (reader, writer):
            writer.write(b"all")
            writer.write_eof()
            assert await heard(reader) == b"got all"
        await eventually(lambda: not edge.links)


async def slices_stay_slices() -> None:
    sizes: list[int] = []

    async def measures(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            sizes.append(len(data))

    # A slice each few milliseconds: a busy reader may still see two as one.
    slicer = Slicer(average_size=10, delay=3_000)
    async with upstream(measures) as server, edge_to(server.address, (UP, slicer)) as edge:
        async with connected(edge.listen) as (_reader, writer):
            writer.write(b"x" * 200)
            await eventually(lambda: sum(sizes) == 200)
        assert len(sizes) >= 5


async def a_client_that_talks_first() -> None:
    latency = Latency(latency=20)
    async with upstream() as server, edge_to(server.address, (UP, latency)) as edge:
        loop = asyncio.get_running_loop()
        client = socket.create_connection(("127.0.0.1", int(edge.listen.split(":")[1])))
        client.setblocking(False)
        began = loop.time()
        await loop.sock_sendall(client, b"hello")
        client.shutdown(socket.SHUT_WR)
        assert await asyncio.wait_for(loop.sock_recv(client, 100), 5) == b"hello"
        assert await asyncio.wait_for(loop.sock_recv(client, 100), 5) == b""
        assert loop.time() - began >= 0.015
        client.close()


async def a_client_that_only_ends() -> None:
    async with upstream() as server, edge_to(server.address) as edge:
        loop = asyncio.get_running_loop()
        client = socket.create_connection(("127.0.0.1", int(edge.listen.split(":")[1])))
        client.setblocking(False)
        client.shutdown(socket.SHUT_WR)
        assert await asyncio.wait_for(loop.sock_recv(client, 100), 5) == b""
        assert server.seen == 1
        client.close()


async def a_reset_on_both_sides() -> None:
    ends: list[BaseException | bytes] = []

    async def notes_its_end(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        try:
            ends.append(await reader.read())
        except ConnectionResetError as error:
            ends.append(error)

    async with (
        upstream(notes_its_end) as server,
        edge_to(server.address, (UP, ResetPeer())) as edge,
        connected(edge.listen) as (reader, writer),
    ):
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await heard(reader)
        await eventually(lambda: ends)
        assert isinstance(ends[0], ConnectionResetError)


SCENES = [
    through_both_directions,
    half_closing,
    slices_stay_slices,
    a_client_that_talks_first,
    a_client_that_only_ends,
    a_reset_on_both_sides,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_on_the_standard_loop(scene: Any) -> None:
    """Bytes, half-closes, slices, early talkers and resets go through as they should."""
    await scene()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_on_uvloop(scene: Any) -> None:
    """And so they do on uvloop, which `python -m chaos.proxy` runs on."""
    run: Coroutine[Any, Any, None] = asyncio.wait_for(scene(), 20)
    uvloop.run(run)


async def test_a_server_that_ends_first_is_heard_to_the_end() -> None:
    """The server's last words and its end reach the client, who may still speak after."""
    heard_after: list[bytes] = []

    async def speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        heard_after.append(await reader.read())

    async with upstream(speaks_first) as server, edge_to(server.address) as edge:
        async with connected(edge.listen) as (reader, writer):
            assert await heard(reader) == b"bye"
            writer.write(b"and so")
            writer.write_eof()
            await eventually(lambda: heard_after)
        assert heard_after == [b"and so"]
        await eventually(lambda: not edge.links)


async def test_a_clients_reset_reaches_the_server_as_a_reset() -> None:
    """A torn connection is not made to look like one that ended in good order."""
    ends: list[type[BaseException] | None] = []

    async def notes(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
            ends.append(None)
        except ConnectionResetError as error:
            ends.append(type(error))

    async with upstream(notes) as server, edge_to(server.address) as edge:
        async with connected(edge.listen) as (_reader, writer):
            await eventually(lambda: server.open)
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await eventually(lambda: ends)
        assert ends == [ConnectionResetError]
        await eventually(lambda: not edge.links)


async def test_an_upstream_that_refuses_closes_the_client() -> None:
    """With nobody behind it the edge accepts and closes, as Toxiproxy does, and keeps nothing."""
    async with upstream() as server:
        address = server.address
    async with edge_to(address) as edge:
        async with connected(edge.listen) as (reader, _writer):
            assert await heard(reader) == b""
        await eventually(lambda: not edge.busy)


async def test_toxics_reach_connections_that_are_open() -> None:
    """A latency applied in mid-connection delays the next bytes, and its removal frees them."""
    clock = FakeClock()
    async with (
        upstream() as server,
        edge_to(server.address, options=with_clock(clock)) as edge,
        connected(edge.listen) as (reader, writer),
    ):
        writer.write(b"a")
        assert await heard(reader, 1) == b"a"
        dose = Dose("slow", DOWN, Latency(latency=60_000))
        edge.add(dose)
        writer.write(b"b")
        await eventually(lambda: edge.traffic[DOWN].received == 2)
        assert edge.traffic[DOWN].sent == 1

        clock.advance(59.9)
        assert edge.traffic[DOWN].sent == 1
        clock.advance(0.2)
        assert await heard(reader, 1) == b"b"

        writer.write(b"c")
        await eventually(lambda: edge.traffic[DOWN].received == 3)
        edge.remove(dose)
        assert await heard(reader, 1) == b"c"


async def test_streams_are_told_apart() -> None:
    """An upstream toxic holds up what the client says, and not what the server says."""
    clock = FakeClock()

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await echo(reader, writer)

    async with (
        upstream(greets) as server,
        edge_to(server.address, (UP, Latency(latency=60_000)), options=with_clock(clock)) as edge,
        connected(edge.listen) as (reader, writer),
    ):
        assert await heard(reader, 5) == b"hello"
        writer.write(b"x")
        await eventually(lambda: edge.traffic[UP].received == 1)
        assert edge.traffic[UP].sent == 0


async def test_timeout_closes_both_sides() -> None:
    """The connection ends in time, for client and server, though neither said a word."""
    clock = FakeClock()
    async with (
        upstream() as server,
        edge_to(server.address, (DOWN, Timeout(timeout=5_000)), options=with_clock(clock)) as edge,
        connected(edge.listen) as (reader, _writer),
    ):
        await eventually(lambda: server.open and clock.waiting)
        clock.advance(5.0)
        assert await heard(reader) == b""
        await eventually(lambda: not server.open and not edge.links)


async def test_limit_data_hands_over_the_last_bytes() -> None:
    """What is within the limit is delivered before the connection closes."""
    async with (
        upstream() as server,
        edge_to(server.address, (DOWN, LimitData(bytes=100_000))) as edge,
        connected(edge.listen) as (reader, writer),
    ):
        writer.write(b"x" * 200_000)
        received = 0
        try:
            while data := await reader.read(65_536):
                received += len(data)
        except ConnectionResetError:  # the rest of what we said was never read
            pass
        assert received <= 100_000
        assert edge.traffic[DOWN].sent == 100_000
        await eventually(lambda: not edge.links)


async def test_slow_close_keeps_the_server_waiting() -> None:
    """The client's end reaches the server only after the delay."""
    clock = FakeClock()
    async with (
        upstream() as server,
        edge_to(server.address, (UP, SlowClose(delay=9_000)), options=with_clock(clock)) as edge,
    ):
        async with connected(edge.listen) as (_reader, writer):
            writer.write(b"x")
            await eventually(lambda: edge.traffic[UP].sent == 1)
        await eventually(lambda: clock.waiting)
        assert server.open

        clock.advance(9.0)

        await eventually(lambda: not server.open and not edge.links)


async def flood(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def assert_bounded(edge: Any, stream: Stream, seconds: float = 0.5) -> None:
    """Wait until the flood has come to a stop, and look at what the edge took of it."""
    traffic, before = edge.traffic[stream], -1

    async def still() -> bool:
        nonlocal before
        moved, before = traffic.received != before, traffic.received
        await asyncio.sleep(seconds / 5)
        return not moved

    await eventually(still, 20, why="the sender is paused")
    held = sum(link.flows[stream].pipe.held for link in edge.links)
    waiting = sum(
        side.transport.get_write_buffer_size() for link in edge.links for side in (link.client, link.upstream)
    )  # fmt: skip
    # The bound, and at most one more read of the loop on top.
    assert held <= edge.limits.buffered_bytes + 300_000
    assert waiting <= edge.limits.transport_bytes + 300_000


async def test_a_stuck_toxic_pauses_the_sender() -> None:
    """A flood against a toxic that lets nothing pass is held back at its source; memory is bounded."""
    options = Options(limits=Limits(buffered_bytes=MIB // 4))
    async with (
        upstream() as server,
        edge_to(server.address, (UP, Bandwidth(rate=0)), options=options) as edge,
        connected(edge.listen) as (_reader, writer),
    ):
        flooding = asyncio.create_task(flood(writer))
        await assert_bounded(edge, UP)
        assert edge.traffic[UP].received < 2 * MIB
        flooding.cancel()
        await asyncio.wait([flooding])
        writer.transport.abort()


async def test_a_client_that_does_not_read_pauses_the_server() -> None:
    """A flood towards a client who takes nothing is held back at its source; memory is bounded."""

    async def floods(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await flood(writer)

    async with upstream(floods) as server, edge_to(server.address) as edge:
        client = socket.create_connection(("127.0.0.1", int(edge.listen.split(":")[1])))
        await eventually(lambda: edge.traffic[DOWN].received > 0)
        await assert_bounded(edge, DOWN)
        client.close()
        await eventually(lambda: not edge.links)


async def test_a_paused_sender_goes_on_when_there_is_room() -> None:
    """Backpressure loses nothing: everything arrives once the reader takes it."""
    payload = bytes(range(256)) * 4 * 8_192
    options = Options(limits=Limits(buffered_bytes=65_536))
    toxics = (UP, Latency(latency=1)), (DOWN, Slicer(average_size=9_000, size_variation=5_000))
    async with (
        upstream() as server,
        edge_to(server.address, *toxics, options=options) as edge,
        connected(edge.listen) as (reader, writer),
    ):

        async def send() -> None:
            for start in range(0, len(payload), 100_000):
                writer.write(payload[start : start + 100_000])
                await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        async with asyncio.timeout(30):
            assert await reader.read() == payload
        await sending


async def test_a_close_that_nobody_takes_ends_anyway() -> None:
    """When a closing connection's last bytes are not taken, they are dropped in time."""
    clock = FakeClock()

    async def floods(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await flood(writer)

    options = with_clock(clock, close_seconds=30.0)
    async with (
        upstream(floods) as server,
        edge_to(server.address, (DOWN, LimitData(bytes=64 * MIB)), options=options) as edge,
    ):
        client = socket.create_connection(("127.0.0.1", int(edge.listen.split(":")[1])))
        await assert_bounded(edge, DOWN)
        (link,) = edge.links
        link.close()
        await asyncio.sleep(0.01)
        assert edge.links

        clock.advance(30.0)

        await eventually(lambda: not edge.links)
        client.close()


async def test_closing_while_connecting_leaves_nothing() -> None:
    """An edge that goes down before its upstream answered drops the client and the attempt."""
    # Nobody answers on a socket whose queue is full.
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    plugs = [socket.socket() for _ in range(4)]
    for plug in plugs:
        plug.setblocking(False)
        plug.connect_ex(full.getsockname())
    async with edge_to(f"127.0.0.1:{full.getsockname()[1]}") as edge:
        async with connected(edge.listen) as (reader, _writer):
            await eventually(lambda: edge.links)
            edge.stop()
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await heard(reader, 1)
        await eventually(lambda: not edge.busy)
    for each in (full, *plugs):
        each.close()
    await hang_up(_writer)
