"""An edge: leases, being down, bounds, seeds, and what it counts."""

import asyncio
import socket

import pytest

from chaos.proxy.addresses import upstream_address
from chaos.proxy.dose import Dose, Stream
from chaos.proxy.edge import Edge, Options
from chaos.proxy.errors import CannotListen, LimitReached, ToxicAlreadyExists
from chaos.proxy.limits import Limits
from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.timeout import Timeout
from tests.chaos.proxy.fakes import FakeClock
from tests.chaos.proxy.wires import connected, edge_to, heard, upstream, with_clock
from tests.waiting import eventually

DOWN = Stream.DOWNSTREAM
NOBODY = "127.0.0.1:9"


def slow(name: str = "slow") -> Dose:
    return Dose(name, DOWN, Latency(latency=60_000))


def an_edge(options: Options) -> Edge:
    return Edge("edge", "127.0.0.1:0", upstream_address(NOBODY), options)


def test_a_lease_ends_on_its_own() -> None:
    """When its time is over a toxic is removed, whoever applied it, and not a moment before."""
    clock = FakeClock()
    edge = an_edge(with_clock(clock))
    edge.add(slow(), lease=30.0)

    clock.advance(29.9)
    assert edge.doses
    clock.advance(0.1)

    assert not edge.doses
    assert clock.waiting == 0


def test_a_lease_can_be_renewed() -> None:
    """A new lease counts from now and takes the place of the old one."""
    clock = FakeClock()
    edge = an_edge(with_clock(clock))
    dose = slow()
    edge.add(dose, lease=30.0)
    clock.advance(20.0)

    edge.grant(dose, 30.0)
    clock.advance(29.0)

    assert edge.doses == [dose]
    assert dose.lease is not None
    assert dose.lease.left == pytest.approx(1.0)
    clock.advance(1.0)
    assert not edge.doses


def test_a_lease_can_be_given_up() -> None:
    """A toxic whose lease was taken away stays."""
    clock = FakeClock()
    edge = an_edge(with_clock(clock))
    dose = slow()
    edge.add(dose, lease=30.0)

    edge.grant(dose, None)
    clock.advance(1_000.0)

    assert edge.doses == [dose]


def test_removal_ends_the_lease() -> None:
    """A lease does not outlive its toxic: a later one of the same name is not removed by it."""
    clock = FakeClock()
    edge = an_edge(with_clock(clock))
    first = slow()
    edge.add(first, lease=10.0)
    edge.remove(first)
    second = slow()
    edge.add(second)

    clock.advance(100.0)

    assert edge.doses == [second]
    assert clock.waiting == 0


async def test_the_end_of_a_lease_frees_open_connections() -> None:
    """Bytes that a leased toxic held arrive when the lease ends."""
    clock = FakeClock()
    async with (
        upstream() as server,
        edge_to(server.address, options=with_clock(clock)) as edge,
        connected(edge.listen) as (reader, writer),
    ):
        edge.add(slow(), lease=5.0)
        writer.write(b"x")
        await eventually(lambda: edge.traffic[DOWN].received == 1)

        clock.advance(5.0)

        assert await heard(reader, 1) == b"x"


async def test_down_refuses_and_drops() -> None:
    """A proxy that is down refuses new connections and has closed the old."""
    async with (
        upstream() as server,
        edge_to(server.address) as edge,
        connected(edge.listen) as (reader, writer),
    ):
        writer.write(b"x")
        assert await heard(reader, 1) == b"x"

        edge.stop()

        assert await heard(reader) == b""
        with pytest.raises(ConnectionRefusedError):
            async with connected(edge.listen):
                pass
        await edge.start()
        async with connected(edge.listen) as (again, writer_again):
            writer_again.write(b"y")
            assert await heard(again, 1) == b"y"


async def test_down_may_carry_a_lease() -> None:
    """A proxy that was taken down with a lease listens again by itself, on the same address."""
    clock = FakeClock()
    async with upstream() as server, edge_to(server.address, options=with_clock(clock)) as edge:
        address = edge.listen
        edge.stop(lease=10.0)
        assert not edge.enabled

        clock.advance(10.0)
        await eventually(lambda: edge.enabled)

        assert edge.listen == address
        assert edge.down_lease is None


async def test_up_again_is_tried_until_it_works() -> None:
    """When the port is taken at the end of the lease, the edge comes back as soon as it is free."""
    clock = FakeClock()
    async with upstream() as server, edge_to(server.address, options=with_clock(clock)) as edge:
        edge.stop(lease=10.0)
        thief = socket.create_server(("127.0.0.1", int(edge.listen.split(":")[1])))
        clock.advance(10.0)
        await eventually(lambda: clock.waiting == 1, why="it failed and will try again")
        assert not edge.enabled

        thief.close()
        clock.advance(1.0)

        await eventually(lambda: edge.enabled)


async def test_going_down_for_good_ends_the_lease() -> None:
    """A second "down" without a lease is not undone by the first one's."""
    clock = FakeClock()
    async with upstream() as server, edge_to(server.address, options=with_clock(clock)) as edge:
        edge.stop(lease=10.0)
        edge.stop()

        clock.advance(60.0)
        await asyncio.sleep(0)

        assert not edge.enabled
        assert clock.waiting == 0


async def test_a_move_to_a_taken_address_changes_nothing() -> None:
    """The old address serves on when the new one cannot be had."""
    async with upstream() as server, edge_to(server.address) as edge:
        before = edge.listen
        with pytest.raises(CannotListen):
            await edge.move(server.address)

        assert edge.enabled
        assert edge.listen == before


async def test_one_connection_too_many_is_closed_at_once() -> None:
    """The bound on connections holds, is counted, and frees up again."""
    options = Options(limits=Limits(connections=2))
    async with upstream() as server, edge_to(server.address, options=options) as edge:
        async with (
            connected(edge.listen) as (first, writer),
            connected(edge.listen),
        ):
            await eventually(lambda: len(edge.links) == 2)
            async with connected(edge.listen) as (third, _):
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await heard(third, 1)
            writer.write(b"x")
            assert await heard(first, 1) == b"x"
            assert edge.refused == 1
        await eventually(lambda: not edge.links)
        async with connected(edge.listen) as (reader, writer):
            writer.write(b"x")
            assert await heard(reader, 1) == b"x"


def test_toxics_are_bounded_and_their_names_are_unique() -> None:
    """No name is there twice, and there are no more toxics than the bound."""
    edge = an_edge(Options(limits=Limits(toxics=2)))
    edge.add(slow("a"))
    with pytest.raises(ToxicAlreadyExists):
        edge.add(slow("a"))
    edge.add(slow("b"))

    with pytest.raises(LimitReached, match="2 toxics on this proxy"):
        edge.add(slow("c"))


async def affected_with(seed: int) -> list[bool]:
    """Which of thirty connections, one after the other, met a toxic of toxicity one half."""
    async with upstream() as server, edge_to(server.address, options=Options(seed=seed)) as edge:
        edge.add(Dose("half", DOWN, Timeout(timeout=0), 0.5))
        found = []
        for number in range(1, 31):
            async with connected(edge.listen):
                await eventually(lambda number=number: server.seen == number)  # type: ignore[misc]
                await eventually(lambda: any(not link.connecting for link in edge.links))
                found += [bool(link.flows[DOWN].pipe.affected_by) for link in edge.links]
            await eventually(lambda: not edge.links)
        return found


async def test_the_seed_decides_who_is_affected() -> None:
    """The same seed hits the same connections; another seed hits others; some are hit and some are not."""
    first = await affected_with(1)

    assert first == await affected_with(1)
    assert first != await affected_with(2)
    assert set(first) == {True, False}


async def test_what_a_toxic_met_is_counted() -> None:
    """Connections and bytes that met a toxic are proof that the fault was there; they outlive it."""
    async with upstream() as server, edge_to(server.address) as edge:
        dose = Dose("some", DOWN, Latency(latency=1))
        async with connected(edge.listen) as (reader, writer):
            writer.write(b"before")
            await heard(reader, 6)
            edge.add(dose)
            writer.write(b"after")
            await heard(reader, 5)
        edge.remove(dose)

        assert edge.met_connections == {("latency", DOWN): 1}
        assert edge.met_bytes == {("latency", DOWN): 5}
