"""The fault points of the processes: faults for one correlation id, and the calls under it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from chaos.explore.calls import FaultSet, Injected
from chaos.explore.kinds import KINDS
from chaos.explore.port import PlatformError
from chaos.roster import Owner, OwnerKind, Roster
from chassis.faults.contract import Calls, Fault, NewFault, SeenCall, Target

LEASE_SECONDS: Final = 60.0
"""Ends a fault whose explorer has died; an operation takes ten seconds at most."""

EXPERIMENT: Final = "explore"

T = TypeVar("T")


class Points:
    """The fault points of a platform.

    Args:
        roster: where they are.
        seed: of what the faults draw.
    """

    def __init__(self, session: aiohttp.ClientSession, roster: Roster, *, seed: int = 0) -> None:
        self._session = session
        self._token = roster.chaos_token
        self._seed = seed
        self._owners = tuple(it for it in roster.owners if it.kind is OwnerKind.PROCESS)

    def processes(self, service: str) -> tuple[Owner, ...]:
        """The replicas of a service. Raises `PlatformError` when there is none."""
        found = tuple(it for it in self._owners if service_of(it.name) == service)
        if not found:
            raise PlatformError(f"the roster names no process of {service}")
        return found

    @contextlib.asynccontextmanager
    async def faults(
        self, faults: FaultSet, correlation: str
    ) -> AsyncIterator[Mapping[Injected, int]]:
        """The faults while the block runs; see `chaos.explore.port.Platform`."""
        met: dict[Injected, int] = {}
        placed: list[tuple[Injected, Owner, str]] = []
        try:
            # Later calls first: a fault that ends a request leaves those placed after it unasked, and they
            # would not count the request among those to be spared.
            for injected in sorted(faults, key=lambda it: it.call.nth, reverse=True):
                for owner in self.processes(injected.call.service):
                    wanted = new_fault(injected, correlation, self._seed)
                    made = await self._ask("POST", owner, "/faults", wanted, Fault)
                    placed.append((injected, owner, made.id))
            yield met
        finally:
            ended = await asyncio.gather(
                *(
                    self._ask("DELETE", owner, f"/faults/{id_}", None, Fault)
                    for _, owner, id_ in placed
                )
            )
            for (injected, _, _), fault in zip(placed, ended, strict=True):
                met[injected] = met.get(injected, 0) + fault.met

    async def calls(self, correlation: str) -> Mapping[str, Sequence[SeenCall]]:
        """What each service was asked under a correlation id.

        Raises:
            PlatformError: also when calls may have been forgotten.
        """
        query = f"/calls?correlation={correlation}"
        answers = await asyncio.gather(
            *(self._ask("GET", owner, query, None, Calls) for owner in self._owners)
        )
        found: dict[str, list[SeenCall]] = {}
        for owner, answer in zip(self._owners, answers, strict=True):
            found.setdefault(service_of(owner.name), []).extend(answer.calls)
        return found

    async def _ask(self, method: str, owner: Owner, path: str, body: Any, kind: type[T]) -> T:
        url = f"{owner.url.rstrip('/')}/chaos{path}"
        headers = {"authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["content-type"] = "application/json"
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(
                method, url, data=content, headers=headers
            ) as response:
                told = await response.read()
                if response.status >= 400:
                    shown = told[:200].decode(errors="replace")
                    raise PlatformError(f"{method} {url}: HTTP {response.status}: {shown}")
                return msgspec.json.decode(told, type=kind)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise PlatformError(f"{method} {url}: {type(error).__name__}: {error}") from error


def new_fault(injected: Injected, correlation: str, seed: int) -> NewFault:
    """A fault on one call of one operation, and on nothing else."""
    call, kind = injected.call, KINDS[injected.kind]
    return NewFault(
        type=kind.name,
        attributes=dict(kind.attributes),
        target=Target(
            route=call.route,
            caller=call.caller,
            headers={"x-correlation-id": correlation},
            skip=call.nth - 1,
            first=1,
        ),
        lease_seconds=LEASE_SECONDS,
        experiment=EXPERIMENT,
        seed=seed,
    )


def service_of(process: str) -> str:
    """The service of a process: `users-2` is a replica of `users`."""
    name, dash, number = process.rpartition("-")
    return name if dash and number.isdigit() else process
