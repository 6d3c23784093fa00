"""All proxies of one server, and what is done to several at once."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from chaos.proxy.addresses import upstream_address
from chaos.proxy.edge import Edge, Options
from chaos.proxy.errors import (
    ApiError,
    BadRequestBody,
    LimitReached,
    MissingField,
    ProxyAlreadyExists,
    ProxyNotFound,
)
from chaos.proxy.limits import MAX_NAME
from chaos.proxy.messages import NewProxy, ProxyChange

log = logging.getLogger("chaos.proxy")

GOODBYE_TURNS = 1_000
"""Turns of the loop in which aborted sockets and cancelled tasks say goodbye; they need about three."""


class Collection:
    """Proxies by name. Changes that wait for a socket take their turn, one after the other."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._edges: dict[str, Edge] = {}
        self._turn = asyncio.Lock()

    def __iter__(self) -> Iterator[Edge]:
        return iter(list(self._edges.values()))

    def get(self, name: str) -> Edge:
        """Return the proxy of that name.

        Raises:
            ProxyNotFound: there is none.
        """
        try:
            return self._edges[name]
        except KeyError:
            raise ProxyNotFound from None

    async def create(self, wanted: NewProxy) -> Edge:
        """Make a proxy, and listen unless it is wanted disabled. When it cannot listen, there is none.

        Raises:
            ApiError: as the API tells it.
        """
        edge = self._edge(wanted)
        async with self._turn:
            if wanted.name in self._edges:
                raise ProxyAlreadyExists
            await self._put(edge, enabled=wanted.enabled is not False)
        return edge

    async def populate(self, wanted: Sequence[NewProxy]) -> tuple[list[Edge], ApiError | None]:
        """Make all of these proxies. Those that are there, alike, are kept; others of the name are replaced.

        Returns:
            Those that are as wanted now, and why the others are not. Nothing is begun before all are valid.
        """
        try:
            edges = [self._edge(each, f" at proxy {n}") for n, each in enumerate(wanted, 1)]
            if len({edge.name for edge in edges}) < len(edges):
                raise BadRequestBody("two proxies of the same name")
        except ApiError as error:
            return [], error
        done: list[Edge] = []
        async with self._turn:
            for edge, each in zip(edges, wanted, strict=True):
                try:
                    done.append(await self._add_or_replace(edge, each.enabled is not False))
                except ApiError as error:
                    return done, error
        return done, None

    async def update(self, edge: Edge, change: ProxyChange) -> None:
        """Move, lead elsewhere, enable or disable a proxy; what is not named stays.

        Raises:
            ApiError: as the API tells it; what came before the failing step is done.
        """
        async with self._turn:
            if change.upstream and (upstream := upstream_address(change.upstream)) != edge.upstream:
                edge.upstream = upstream
                edge.drop_connections()
            if change.listen and change.listen not in (edge.listen, edge.asked):
                await edge.move(change.listen)
            if change.enabled is True:
                await edge.start()
            elif change.enabled is False:
                edge.stop(change.lease(self.options.default_lease), change.asked_by)

    async def delete(self, name: str) -> None:
        """Take a proxy away, with its connections and toxics.

        Raises:
            ProxyNotFound: there is none.
        """
        async with self._turn:
            edge = self.get(name)
            del self._edges[name]
            edge.close()

    async def reset(self) -> None:
        """The kill switch: no toxic anywhere, and every proxy enabled.

        Unlike in Toxiproxy, one that cannot listen does not keep the others from being reset.

        Raises:
            ApiError: a proxy could not be enabled; everything else is done.
        """
        for edge in self:
            edge.clear()
        failure: ApiError | None = None
        async with self._turn:
            for edge in self:
                try:
                    await edge.rise()
                except ApiError as error:
                    log.error("%s: %s", edge.name, error)
                    failure = error
        if failure is not None:
            raise failure

    async def close(self) -> None:
        """Leave nothing behind: no listener, connection, timer or task."""
        async with self._turn:
            edges = list(self)
            self._edges.clear()
            for edge in edges:
                edge.close()
        for _ in range(GOODBYE_TURNS):
            if not any(edge.busy for edge in edges):
                break
            await asyncio.sleep(0)

    def _edge(self, wanted: NewProxy, where: str = "") -> Edge:
        if not wanted.name:
            raise MissingField(f"name{where}")
        if not wanted.upstream:
            raise MissingField(f"upstream{where}")
        if len(wanted.name) > MAX_NAME or "/" in wanted.name:
            raise BadRequestBody(f"a name has at most {MAX_NAME} characters, and no slash")
        return Edge(wanted.name, wanted.listen, upstream_address(wanted.upstream), self.options)

    async def _add_or_replace(self, edge: Edge, enabled: bool) -> Edge:
        old = self._edges.get(edge.name)
        if old is not None:
            if edge.listen in (old.listen, old.asked) and edge.upstream == old.upstream:
                return old
            old.close()
            del self._edges[edge.name]
        await self._put(edge, enabled=enabled)
        return edge

    async def _put(self, edge: Edge, *, enabled: bool) -> None:
        if len(self._edges) >= self.options.limits.proxies:
            raise LimitReached("proxies", self.options.limits.proxies)
        if enabled:
            await edge.start()
        self._edges[edge.name] = edge
