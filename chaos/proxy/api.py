"""Toxiproxy's HTTP API, call by call: its clients drive this proxy, and it can take this one's place."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from chaos.proxy.collection import Collection
from chaos.proxy.edge import Edge
from chaos.proxy.errors import ApiError, BodyTooLarge
from chaos.proxy.messages import (
    NewProxy,
    NewToxic,
    ProxyChange,
    ToxicChange,
    error_view,
    proxy_view,
    read,
    toxic_view,
    toxic_views,
)
from chaos.proxy.metrics import Exposition

VERSION = "2.12.0+baluarte"
"""The version of Toxiproxy whose API this is, for clients that compare it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(content), status=status, content_type="application/json"
    )


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return _json(error_view(error), error.status)


@web.middleware
async def _no_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page that somebody looks at must not be able to break things on their machine."""
    if request.headers.get("User-Agent", "").startswith("Mozilla/"):
        return web.Response(text="User agent not allowed\n", status=403)
    return await handler(request)


class Api:
    """The calls on one collection of proxies."""

    def __init__(self, proxies: Collection) -> None:
        self._proxies = proxies
        self._exposition = Exposition(proxies)

    def app(self) -> web.Application:
        """The application that serves them."""
        limit = self._proxies.options.limits.body_bytes
        app = web.Application(middlewares=[_no_browsers, _errors], client_max_size=limit)
        app.add_routes(
            [
                web.get("/proxies", self.list_proxies),
                web.post("/proxies", self.create_proxy),
                web.post("/populate", self.populate),
                web.get("/proxies/{proxy}", self.show_proxy),
                web.post("/proxies/{proxy}", self.update_proxy),
                web.patch("/proxies/{proxy}", self.update_proxy),
                web.delete("/proxies/{proxy}", self.delete_proxy),
                web.get("/proxies/{proxy}/toxics", self.list_toxics),
                web.post("/proxies/{proxy}/toxics", self.create_toxic),
                web.get("/proxies/{proxy}/toxics/{toxic}", self.show_toxic),
                web.post("/proxies/{proxy}/toxics/{toxic}", self.update_toxic),
                web.patch("/proxies/{proxy}/toxics/{toxic}", self.update_toxic),
                web.delete("/proxies/{proxy}/toxics/{toxic}", self.delete_toxic),
                web.post("/reset", self.reset),
                web.get("/version", self.version),
                web.get("/metrics", self.metrics),
            ]
        )
        return app

    async def list_proxies(self, _request: web.Request) -> web.Response:
        return _json({edge.name: proxy_view(edge) for edge in self._proxies})

    async def create_proxy(self, request: web.Request) -> web.Response:
        edge = await self._proxies.create(read(await self._body(request), NewProxy))
        return _json(proxy_view(edge), 201)

    async def populate(self, request: web.Request) -> web.Response:
        wanted = read(await self._body(request), list[NewProxy])
        edges, error = await self._proxies.populate(wanted)
        views = {"proxies": [proxy_view(edge) for edge in edges]}
        if error is not None:
            return _json({**error_view(error), **views}, error.status)
        return _json(views, 201)

    async def show_proxy(self, request: web.Request) -> web.Response:
        return _json(proxy_view(self._edge(request)))

    async def update_proxy(self, request: web.Request) -> web.Response:
        edge = self._edge(request)
        await self._proxies.update(edge, read(await self._body(request), ProxyChange))
        return _json(proxy_view(edge))

    async def delete_proxy(self, request: web.Request) -> web.Response:
        await self._proxies.delete(request.match_info["proxy"])
        return web.Response(status=204)

    async def list_toxics(self, request: web.Request) -> web.Response:
        return _json(toxic_views(self._edge(request)))

    async def create_toxic(self, request: web.Request) -> web.Response:
        self._edge(request)
        wanted = read(await self._body(request), NewToxic)
        dose = wanted.dose()
        self._edge(request).add(dose, wanted.lease(self._proxies.options.default_lease))
        return _json(toxic_view(dose))

    async def show_toxic(self, request: web.Request) -> web.Response:
        return _json(toxic_view(self._edge(request).dose(request.match_info["toxic"])))

    async def update_toxic(self, request: web.Request) -> web.Response:
        edge = self._edge(request)
        edge.dose(request.match_info["toxic"])
        change = read(await self._body(request), ToxicChange)
        dose = edge.dose(request.match_info["toxic"])
        toxicity = dose.toxicity if change.toxicity is None else change.toxicity
        edge.alter(dose, change.toxic(dose), toxicity)
        if change.lease_seconds is not msgspec.UNSET:
            edge.grant(dose, change.lease_seconds)
        return _json(toxic_view(dose))

    async def delete_toxic(self, request: web.Request) -> web.Response:
        edge = self._edge(request)
        edge.remove(edge.dose(request.match_info["toxic"]))
        return web.Response(status=204)

    async def reset(self, _request: web.Request) -> web.Response:
        await self._proxies.reset()
        return web.Response(status=204)

    async def version(self, _request: web.Request) -> web.Response:
        return _json({"version": VERSION})

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self._exposition.page(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    def _edge(self, request: web.Request) -> Edge:
        return self._proxies.get(request.match_info["proxy"])

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise BodyTooLarge(self._proxies.options.limits.body_bytes) from error
