"""The echo service with a fault point, and hands to use it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from chassis.faults.contract import Calls, Fault, Faults, NewFault, Target
from chassis.faults.fault import ActiveFault
from chassis.faults.order import effect_of
from chassis.faults.point import FaultPoint
from chassis.metrics import Metrics
from chassis.settings import Secret
from resilience.clock import SYSTEM_CLOCK, Clock
from resilience.testing import FakeClock
from tests.chassis.echo_service import Running, running_echo

TOKEN = "a-chaos-token-for-tests"


def new_point(metrics: Metrics | None = None, clock: Clock = SYSTEM_CLOCK) -> FaultPoint:
    """A fault point of the service `echo`."""
    return FaultPoint("echo", Secret(TOKEN), metrics or Metrics(), clock=clock)


def active(
    type_: str = "abort",
    *,
    clock: Clock | None = None,
    lease: float = 60.0,
    duration: float | None = 0.0,
    seed: int = 7,
    attributes: dict[str, Any] | None = None,
    **target: Any,
) -> ActiveFault:
    """A fault in place, outside of any fault point."""
    clock = clock or FakeClock()
    wanted = NewFault(
        type=type_,
        attributes=attributes or {},
        target=Target(**target),
        duration=duration,
        lease_seconds=lease,
    )
    return ActiveFault(
        id="f",
        wanted=wanted,
        effect=effect_of(wanted, ()),
        seed=seed,
        ends=clock.monotonic() + lease,
        clock=clock,
        on_met=lambda _: None,
    )


@dataclass
class Faulted:
    """The running service, asked by a client that keeps its connections apart."""

    running: Running
    point: FaultPoint

    @property
    def calls(self) -> int:
        """How often the handler ran."""
        return self.running.echo.calls

    async def chaos(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN
    ) -> tuple[int, bytes]:
        """One call of the fault point's API."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        data = None if body is None else msgspec.json.encode(body)
        async with self.running.session.request(
            method, f"{self.running.url}/chaos/{path}", data=data, headers=headers
        ) as response:
            return response.status, await response.read()

    async def inject(self, type_: str, *, lease: float = 60.0, **wanted: Any) -> Fault:
        """Put a fault in place over the wire."""
        status, answer = await self.chaos(
            "POST", "faults", {"type": type_, "leaseSeconds": lease} | wanted
        )
        assert status == 201, answer
        return msgspec.json.decode(answer, type=Fault)

    async def faults(self) -> tuple[Fault, ...]:
        """Those in place."""
        return msgspec.json.decode((await self.chaos("GET", "faults"))[1], type=Faults).faults

    async def seen(self, correlation_id: str) -> Calls:
        """What the service was asked under that id."""
        status, answer = await self.chaos("GET", f"calls?correlation={correlation_id}")
        assert status == 200
        return msgspec.json.decode(answer, type=Calls)

    async def say(
        self, text: str = "oi", path: str = "/v1/say", **headers: str
    ) -> tuple[int, bytes]:
        """One request on a connection of its own. aiohttp's errors are raised as they are."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.post(
                self.running.url + path,
                json={"text": text},
                headers=self.running.headers() | headers,
            ) as response,
        ):
            return response.status, await response.read()


def new_correlation_id() -> str:
    return secrets.token_hex(8)


@asynccontextmanager
async def running_faulted(keys: Path, clock: Clock = SYSTEM_CLOCK) -> AsyncIterator[Faulted]:
    """Serve the echo service with a fault point for as long as the block lasts."""
    made: list[FaultPoint] = []

    def point(metrics: Metrics) -> FaultPoint:
        made.append(new_point(metrics, clock))
        return made[0]

    async with running_echo(keys, point=point) as running:
        yield Faulted(running, made[0])
