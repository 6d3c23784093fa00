"""The gateway under test, in process, and a client that speaks ASGI to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from starlette.applications import Starlette

from chassis.health import Registry
from chassis.metrics import Metrics
from chassis.settings import Environment, Settings
from chassis.tokens import AccessTokens
from graphql_api.app import Answerer, Parts, build
from graphql_api.security.rate_limit import Store
from graphql_api.settings import GatewaySettings
from resilience import Pipeline
from services.users.contract import Profile
from tests.graphql_api.fakes import FakeTokens, Platform, token_of

SETTINGS = GatewaySettings(
    shared=Settings(
        service="gateway",
        environment=Environment.TEST,
        host="127.0.0.1",
        port=0,
        state_dir=Path("/nonexistent"),
        keys_dir=Path("/nonexistent"),
        database_url=None,
        bus_database_url=None,
        amqp_url=None,
        redis_url=None,
        peers={},
        log_level="INFO",
    ),
    requests_per_minute=100_000,
    logins_per_account=100_000,
    logins_per_address=100_000,
)


def in_environment(environment: Environment, **changes: Any) -> GatewaySettings:
    """The test settings in another environment, with further changes."""
    return replace(SETTINGS, shared=replace(SETTINGS.shared, environment=environment), **changes)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json.get("data")

    @property
    def errors(self) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self.json.get("errors", []))

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


class Gateway:
    """The app under test with the platform that it sees."""

    def __init__(
        self,
        platform: Platform,
        settings: GatewaySettings = SETTINGS,
        *,
        valkey: Store | None = None,
        health: Answerer | None = None,
        pipelines: Mapping[str, Pipeline] | None = None,
    ) -> None:
        self.platform = platform
        self.tokens = FakeTokens()
        self.metrics = Metrics()
        self.registry = Registry()
        self.app: Starlette = build(
            Parts(
                settings=settings,
                downstream=platform.behind(pipelines or {}),
                tokens=cast("AccessTokens", self.tokens),
                registry=self.registry,
                metrics=self.metrics,
                valkey=valkey,
                health=health,
            )
        )

    async def query(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        user: Profile | None = None,
        headers: Mapping[str, str] | None = None,
        operation: str | None = None,
    ) -> Reply:
        """POST an operation, as `user` if there is one."""
        body = {"query": query, "variables": variables, "operationName": operation}
        sent = {"authorization": f"Bearer {token_of(user)}"} if user else {}
        return await self.post(json.dumps(body).encode(), {**sent, **(headers or {})})

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """POST a body to /graphql, as JSON unless `headers` say otherwise."""
        sent = {"content-type": "application/json", **(headers or {})}
        return await self.request("POST", "/graphql", body, sent)

    async def get(self, path: str, headers: Mapping[str, str] | None = None, **query: str) -> Reply:
        return await self.request("GET", path, b"", headers or {}, query)

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        peer: str = "192.0.2.7",
    ) -> Reply:
        """Any request, straight into the app; `peer` is who opened the connection."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(query or {}).encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in (headers or {}).items()
            ],
            "client": (peer, 50_000),
            "server": ("gateway.test", 8000),
            "state": {},
        }
        chunks = [body[at : at + 65_536] for at in range(0, len(body), 65_536)] or [b""]
        started: dict[str, Any] = {}
        received: list[bytes] = []

        async def receive() -> dict[str, Any]:
            if not chunks:
                await asyncio.Event().wait()  # the client stays for the answer
            return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                received.append(message.get("body", b""))

        await self.app(scope, receive, send)
        return Reply(
            status=started["status"],
            headers={name.decode(): value.decode() for name, value in started["headers"]},
            body=b"".join(received),
        )


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The gateway between its start and its end."""
    async with gateway.app.router.lifespan_context(gateway.app):
        yield gateway
