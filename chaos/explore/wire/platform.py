"""A real platform behind the port of the exploration."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Self

import aiohttp

from chaos.explore.answer import Answer
from chaos.explore.calls import FaultSet, Injected
from chaos.explore.effects import Fact
from chaos.explore.operations import Operation, Scene
from chaos.explore.port import PlatformError, Unrest
from chaos.explore.wire.calm import Calm
from chaos.explore.wire.facts import Facts
from chaos.explore.wire.gateway import Gateway
from chaos.explore.wire.outage import Supervisor
from chaos.explore.wire.points import Points, service_of
from chaos.explore.wire.stage import Stage
from chaos.explore.wire.turnstile import Turnstile
from chaos.history.snapshot import DATABASE_ERRORS, connect
from chaos.roster import Roster
from chassis.faults.contract import SeenCall

CALLERS: Final = frozenset({"gateway", "users", "transactions", "notifications"})
"""Services that call others, whose policies therefore have a memory."""

POSTING: Final = "transactions"
"""Whose calls are those of payments at the ledger."""

_NAMES: Final = "SELECT count(*) FROM names WHERE user_id = ANY($1::uuid[])"

_CONNECTIONS: Final = 64
"""Side by side: lanes of an exploration, and the good calls that follow on bad ones."""


class WirePlatform:
    """See `chaos.explore.port.Platform`. Use as `async with reach(roster) as platform`."""

    def __init__(self, session: aiohttp.ClientSession, roster: Roster, *, seed: int = 0) -> None:
        if roster.staff is None:
            raise PlatformError("the roster names no staff: the exploration needs the demo data")
        self.roster = roster
        self.gateway = Gateway(session, roster.gateway)
        self._points = Points(session, roster, seed=seed)
        self._database: Any = None
        self._asking = asyncio.Lock()  # a connection answers one question at a time
        self._payments = Turnstile()
        self._stage = Stage(
            self.gateway,
            self._payments,
            staff=roster.staff,
            names_known=self._names_known,
        )
        self._facts = Facts(self.gateway, self._payments)
        callers = [owner for owner in roster.owners if service_of(owner.name) in CALLERS]
        self._calm = Calm(session, self.gateway, self._stage, callers)
        self._supervisor = Supervisor(session, roster)

    async def __aenter__(self) -> Self:
        url = self.roster.databases.get("transactions")
        if url is None:
            raise PlatformError("the roster names no database of transactions for the auditor")
        try:
            self._database = await connect(url)
        except DATABASE_ERRORS as error:
            raise PlatformError(f"the database of transactions: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        self._database.terminate()

    async def stage(self, operation: Operation) -> Scene:
        return await self._stage.scene(operation)

    async def renew(self, operation: Operation, scene: Scene) -> None:
        await self._stage.renew(operation, scene)

    async def change(self, operation: Operation, scene: Scene) -> None:
        await self._stage.change(operation, scene)

    async def ask(self, operation: Operation, scene: Scene, correlation: str) -> Answer:
        actor = scene.actor(operation.actor)
        token = actor.access if actor else None
        return await self.gateway.ask(
            operation.document, operation.variables(scene), token, correlation
        )

    async def calls(self, correlation: str) -> Mapping[str, Sequence[SeenCall]]:
        return await self._points.calls(correlation)

    @contextlib.asynccontextmanager
    async def faults(
        self, faults: FaultSet, correlation: str
    ) -> AsyncIterator[Mapping[Injected, int]]:
        # A run that learns is alone as well: its payment must not share a call with another.
        posting = not faults or any(it.call.caller == POSTING for it in faults)
        turn = self._payments.alone() if posting else self._payments.together()
        async with turn, self._points.faults(faults, correlation) as met:
            yield met

    @contextlib.asynccontextmanager
    async def down(self, service: str) -> AsyncIterator[None]:
        parts = [owner.name for owner in self._points.processes(service)]
        async with self._supervisor.down(*parts):
            yield
        await self._calm.reopened([service])

    async def fact(self, operation: Operation, scene: Scene, answer: Answer) -> Fact:
        await self._stage.awake(operation, scene)
        return await self._facts.of(operation, scene, answer)

    async def amend(self, met: Mapping[Injected, int]) -> None:
        await self._calm.amend(met)

    async def unrest(self) -> Unrest:
        return await self._calm.unrest()

    async def _names_known(self, users: tuple[str, ...]) -> bool:
        try:
            async with self._asking:
                known = await self._database.fetchval(_NAMES, list(users))
        except DATABASE_ERRORS as error:
            raise PlatformError(f"the database of transactions: {error}") from error
        return bool(known == len(users))


@contextlib.asynccontextmanager
async def reach(roster: Roster, *, seed: int = 0) -> AsyncIterator[WirePlatform]:
    """The platform of a roster.

    Args:
        seed: of what faults draw.
    """
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        WirePlatform(session, roster, seed=seed) as platform,
    ):
        yield platform
