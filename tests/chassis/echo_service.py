"""A small service for tests of the chassis: it echoes, fails and waits as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import msgspec
from starlette.applications import Starlette

from chassis import codes
from chassis.app import create_app
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Answer, Message, Operation, UserAccess
from chassis.credentials import Credentials, Verifier, generate_keys
from chassis.faults.point import FaultPoint, token_clock
from chassis.gate import Gate
from chassis.health import Registry
from chassis.metrics import Metrics
from chassis.tokens import AccessTokens
from resilience import Pipeline, Priority
from tests.asgi import serving


class Say(Message, frozen=True, kw_only=True):
    text: Annotated[str, msgspec.Meta(max_length=20)]
    times: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1


class Said(Answer, frozen=True, kw_only=True):
    text: str
    caller: str
    user_id: UUID | None
    correlation_id: str
    deadline_ms: int


SAY = Operation("echo", "say", "/v1/say", Say, Said, "Say it", reads=True, priority=Priority.HIGH)
WHISPER = Operation(
    "echo", "whisper", "/v1/whisper", Say, Said, "Say it to a user", user=UserAccess.REQUIRED
)
CHANGE = Operation("echo", "change", "/v1/change", Say, Said, "Say it, with an effect")
HELLO = Operation(
    "echo", "hello", "/v1/hello", Message, Said, "To anybody", frozenset(), method="GET", reads=True
)
OPERATIONS = (SAY, WHISPER, CHANGE, HELLO)


@dataclass
class Echo:
    """What the handlers do, told by the test through the text that it sends."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    instead: Callable[[Call, Any], Awaitable[Said]] | None = None

    async def __call__(self, call: Call, request: Any) -> Said:
        self.calls += 1
        if self.instead is not None:
            return await self.instead(call, request)
        text = getattr(request, "text", "hello")
        if text == "refuse":
            raise codes.RATE_LIMITED.error("Slow down.", retry_after=1.2)
        if text == "crash":
            raise RuntimeError("secret detail")
        if text == "wait":
            await self.release.wait()
        return Said(
            text=text,
            caller=call.service,
            user_id=call.user.id if call.user else None,
            correlation_id=call.correlation_id,
            deadline_ms=call.deadline.remaining_milliseconds(),
        )


@dataclass
class Running:
    """The echo service on a port, and a client of it."""

    url: str
    echo: Echo
    app: Starlette
    session: aiohttp.ClientSession
    keys: Path
    registry: Registry
    metrics: Metrics

    def client(
        self,
        name: str = "gateway",
        urls: tuple[str, ...] = (),
        pipeline: Pipeline | None = None,
    ) -> ServiceClient:
        return ServiceClient(
            "echo",
            urls or (self.url,),
            session=self.session,
            credentials=Credentials.load(self.keys, name),
            pipeline=pipeline,
        )

    def headers(self, name: str = "gateway", audience: str = "echo") -> dict[str, str]:
        token = Credentials.load(self.keys, name).token_for(audience)
        return {"authorization": f"Bearer {token}", "content-type": "application/json"}


@asynccontextmanager
async def running_echo(
    keys: Path,
    *,
    tokens: AccessTokens | None = None,
    max_body: int = 10_000,
    point: Callable[[Metrics], FaultPoint] | None = None,
) -> AsyncIterator[Running]:
    """Serve the echo service for as long as the block lasts, with the fault point that `point` makes."""
    generate_keys(keys, ("gateway", "users", "echo"))
    echo, registry, metrics = Echo(), Registry(), Metrics()
    faults = point(metrics) if point is not None else None
    app = create_app(
        service="echo",
        handlers=dict.fromkeys(OPERATIONS, echo),
        registry=registry,
        metrics=metrics,
        gate=Gate(Verifier.load(keys, "echo", now=token_clock(faults)), tokens),
        faults=faults,
        max_body=max_body,
    )
    async with serving(app) as url, open_session() as session:
        yield Running(url, echo, app, session, keys, registry, metrics)
