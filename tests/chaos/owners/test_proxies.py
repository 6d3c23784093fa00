"""The fault proxies as an owner of faults."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from chaos.owners import Code, Down, OwnerError, ProxiesOwner, Toxic
from chaos.owners.line import Line, session
from chaos.proxy import NewProxy, serving
from tests import servers
from tests.chaos.owners.grounds import crew_of, some_proxies
from tests.waiting import eventually

LATENCY = Toxic(edge="gateway-users", type="latency", attributes={"latency": 5}, lease_seconds=5)


async def test_a_toxic_is_placed_renewed_and_taken_back() -> None:
    """With an id, a lease that starts anew, and its end told once; then there is no such fault."""
    async with some_proxies() as url, crew_of(proxies=url) as found:
        owner = found.proxies
        placed = await owner.inject(LATENCY)
        assert (placed.id, placed.target) == ("gateway-users/latency_downstream", "gateway-users")
        assert placed.met == 0
        assert placed.remaining is not None
        assert placed.remaining <= 5
        renewed = await owner.renew(placed.id, 60)
        assert renewed is not None
        assert renewed.remaining is not None
        assert renewed.remaining > 50
        assert [one.id for one in await owner.list()] == [placed.id]
        reverted = await owner.revert(placed.id)
        assert reverted is not None
        assert reverted.about["latency"] == 5
        assert await owner.revert(placed.id) is None
        assert await owner.renew(placed.id, 60) is None


async def test_the_proxies_are_told_whose_fault_it_is() -> None:
    """A toxic and an edge that is down say so again, also after their leases started anew."""
    async with some_proxies() as url, crew_of(proxies=url) as found:
        owner = found.proxies
        placed = [
            await owner.inject(replace(LATENCY, experiment="run.0")),
            await owner.inject(Down(edge="users-postgres", lease_seconds=5, experiment="run.1")),
        ]
        for one in placed:
            await owner.renew(one.id, 60)
        told = {one.id: one.about.get("experiment") for one in await owner.list()}
        assert told == {"gateway-users/latency_downstream": "run.0", "users-postgres": "run.1"}


async def test_an_edge_that_is_down_is_a_fault_like_any_other() -> None:
    """It is listed with its lease, renewed and ended; a renewal that comes late cuts nothing."""
    async with some_proxies() as url, crew_of(proxies=url) as found:
        owner = found.proxies
        placed = await owner.inject(Down(edge="users-postgres", lease_seconds=5))
        assert (placed.id, placed.type) == ("users-postgres", "down")
        renewed = await owner.renew(placed.id, 60)
        assert renewed is not None
        assert renewed.remaining is not None
        assert renewed.remaining > 50
        assert [one.type for one in await owner.list()] == ["down"]
        assert await owner.revert(placed.id) is not None
        assert await owner.revert(placed.id) is None
        assert await owner.renew(placed.id, 60) is None
        assert await owner.list() == ()


async def test_the_connections_that_met_a_fault_are_counted_by_fault() -> None:
    """A second toxic of the same type begins at none."""
    async with contextlib.AsyncExitStack() as stack:
        echo = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        stack.push_async_callback(echo.wait_closed)
        stack.callback(echo.close)
        upstream = f"127.0.0.1:{echo.sockets[0].getsockname()[1]}"
        server = await stack.enter_async_context(
            serving([NewProxy(name="gateway-users", upstream=upstream)], port=0)
        )
        owner = (await stack.enter_async_context(crew_of(proxies=server.url))).proxies
        edge = server.proxies.get("gateway-users")
        first = await owner.inject(LATENCY)
        await _visit(edge.listen)
        await eventually(lambda: edge.doses[0].met == 1)
        looked = await owner.look(first.id)
        assert looked is not None
        assert looked.met == 1
        await owner.revert(first.id)
        assert (await owner.inject(LATENCY)).met == 0


async def test_a_cut_counts_what_it_closed() -> None:
    """The connections that were open when the edge went down have met it."""
    async with contextlib.AsyncExitStack() as stack:
        upstream = f"127.0.0.1:{stack.enter_context(servers.listening())}"
        server = await stack.enter_async_context(
            serving([NewProxy(name="gateway-users", upstream=upstream)], port=0)
        )
        owner = (await stack.enter_async_context(crew_of(proxies=server.url))).proxies
        edge = server.proxies.get("gateway-users")
        host, port = edge.listen.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        await eventually(lambda: len(edge.links) == 1)
        assert (await owner.inject(Down(edge="gateway-users", lease_seconds=5))).met == 1
        writer.close()


async def _visit(listen: str) -> None:
    host, port = listen.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert await reader.read() == b""
    writer.close()


async def test_the_switch_ends_toxics_and_cuts() -> None:
    """And says which there were."""
    async with some_proxies() as url, crew_of(proxies=url) as found:
        await found.proxies.inject(LATENCY)
        await found.proxies.inject(Down(edge="users-postgres", lease_seconds=5))
        ended = await found.proxies.revert_all()
        assert {one.type for one in ended} == {"latency", "down"}
        assert await found.proxies.list() == ()


async def test_refusals_come_in_the_proxys_own_words() -> None:
    """Toxiproxy's texts, with its status; nothing was placed."""
    async with some_proxies() as url, crew_of(proxies=url) as found:
        for order, words in (
            (Toxic(edge="moon", type="latency", lease_seconds=5), "proxy not found"),
            (Toxic(edge="gateway-users", type="pain", lease_seconds=5), "invalid toxic type"),
            (Down(edge="gateway-users", lease_seconds=-5), "lease_seconds"),
        ):
            with pytest.raises(OwnerError, match=words) as refused:
                await found.proxies.inject(order)
            assert refused.value.code is Code.REFUSED
        assert await found.proxies.list() == ()


async def test_a_list_that_cannot_be_read_does_not_save_the_faults() -> None:
    """The switch is for the worst day: it resets even what it could not list."""
    async with some_proxies() as url, crew_of(proxies=url) as found:
        await found.proxies.inject(LATENCY)
        async with session() as opened:
            assert await ProxiesOwner(_Blind(opened, "proxies", url)).revert_all() == ()
        assert await found.proxies.list() == ()


class _Blind(Line):
    """Cannot list."""

    async def ask(self, method, path, kind, body=None):  # type: ignore[no-untyped-def]
        if method == "GET":
            raise OwnerError(Code.SILENT, self.name, "it mumbles")
        return await super().ask(method, path, kind, body)
