"""The three owners of faults, as the engine speaks to them. `docs/chaos.md` describes their APIs."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from chaos.engine.plan import Action
from chaos.engine.ports import FaultOwner, OwnerError
from chaos.engine.wire import Wire
from chaos.evidence.metrics import parse
from chaos.roster import Owner, OwnerKind, Roster
from chaos.scenarios.faults.edge import DOWN
from chaos.scenarios.faults.part import KILL
from chassis.faults.contract import Fault, Faults, Lease, NewFault, Target


class ProcessOwner:
    """A process' own fault point. A fault is found again by `experiment`, whoever lost its id."""

    def __init__(self, wire: Wire, owner: Owner, roster: Roster) -> None:
        self._wire = wire
        self._url = f"{owner.url}/chaos/faults"
        self._token = roster.chaos_token

    async def begin(self, action: Action, experiment: str) -> None:
        fault = NewFault(
            type=action.type,
            attributes=dict(action.attributes),
            target=msgspec.convert(dict(action.narrowing), Target),
            duration=action.duration,
            lease_seconds=action.lease,
            experiment=_named(action, experiment),
            seed=action.seed,
        )
        if await self._ask("POST", "", msgspec.to_builtins(fault)) is None:
            raise OwnerError(f"{self._url} takes no faults: was it started with --chaos?")

    async def renew(self, action: Action, experiment: str) -> bool:
        fault = await self._find(action, experiment)
        if fault is None:
            return False
        lease = msgspec.to_builtins(Lease(lease_seconds=action.lease))
        return await self._ask("POST", f"/{fault.id}/lease", lease) is not None

    async def end(self, action: Action, experiment: str) -> bool:
        fault = await self._find(action, experiment)
        return fault is not None and await self._ask("DELETE", f"/{fault.id}") is not None

    async def met(self, action: Action, experiment: str) -> int | None:
        fault = await self._find(action, experiment)
        return None if fault is None else fault.met

    async def _find(self, action: Action, experiment: str) -> Fault | None:
        found = msgspec.convert(await self._ask("GET", "") or {}, Faults)
        name = _named(action, experiment)
        return next((fault for fault in found.faults if fault.experiment == name), None)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return await self._wire.ask(method, f"{self._url}{path}", token=self._token, body=body)


class ProxiesOwner:
    """The fault proxies between the parts. A toxic's name is the action's."""

    def __init__(self, wire: Wire, owner: Owner, roster: Roster) -> None:
        del roster  # proxies ask for no token
        self._wire = wire
        self._url = owner.url
        self._before: dict[str, int] = {}
        """Connections that had met such a toxic before, by action: the proxies' counters go on."""

    async def begin(self, action: Action, experiment: str) -> None:
        if action.type == DOWN:
            body = {"enabled": False, "lease_seconds": action.lease}
            answer = await self._wire.ask("PATCH", self._proxy(action), body=body)
        else:
            self._before[action.id] = await self._connections(action) or 0
            toxic = {
                "name": _named(action, experiment),
                "type": action.type,
                "attributes": {key: int(value) for key, value in action.attributes.items()},
                "lease_seconds": action.lease,
                **action.narrowing,
            }
            answer = await self._wire.ask("POST", f"{self._proxy(action)}/toxics", body=toxic)
        if answer is None:
            raise OwnerError(f"there is no proxy {action.target!r}")

    async def renew(self, action: Action, experiment: str) -> bool:
        lease = {"lease_seconds": action.lease}
        if action.type != DOWN:
            path = f"{self._proxy(action)}/toxics/{_named(action, experiment)}"
            return await self._wire.ask("PATCH", path, body=lease) is not None
        proxy = await self._wire.ask("GET", self._proxy(action))
        if proxy is None or proxy["enabled"]:
            return False
        await self._wire.ask("PATCH", self._proxy(action), body={"enabled": False, **lease})
        return True

    async def end(self, action: Action, experiment: str) -> bool:
        if action.type == DOWN:
            proxy = await self._wire.ask("GET", self._proxy(action))
            if proxy is None or proxy["enabled"]:
                return False
            await self._wire.ask("PATCH", self._proxy(action), body={"enabled": True})
            return True
        path = f"{self._proxy(action)}/toxics/{_named(action, experiment)}"
        there = await self._toxic(action, experiment) is not None
        await self._wire.ask("DELETE", path)
        return there

    async def met(self, action: Action, experiment: str) -> int | None:
        """Connections that met it; what met a proxy that is down is not counted here."""
        del experiment
        found = None if action.type == DOWN else await self._connections(action)
        return None if found is None else found - self._before.get(action.id, 0)

    async def _connections(self, action: Action) -> int | None:
        page = await self._wire.page(f"{self._url}/metrics")
        return None if page is None else _connections(page, action)

    async def _toxic(self, action: Action, experiment: str) -> Any:
        path = f"{self._proxy(action)}/toxics/{_named(action, experiment)}"
        return await self._wire.ask("GET", path)

    def _proxy(self, action: Action) -> str:
        return f"{self._url}/proxies/{action.target}"


class SupervisorOwner:
    """The supervisor, who kills, pauses, holds down and starts late."""

    def __init__(self, wire: Wire, owner: Owner, roster: Roster) -> None:
        self._wire = wire
        self._url = f"{owner.url}/faults"
        self._token = roster.supervisor_token

    async def begin(self, action: Action, experiment: str) -> None:
        del experiment
        body: dict[str, Any] = {"part": action.target, "kind": action.type, **action.attributes}
        if action.type != KILL:
            body["seconds"] = action.lease
        if await self._ask("POST", "", body) is None:
            raise OwnerError("the supervisor takes no faults: was it started with --chaos?")

    async def renew(self, action: Action, experiment: str) -> bool:
        """Its leases are not renewed; this only looks whether it is there."""
        del experiment
        return await self._find(action) is not None

    async def end(self, action: Action, experiment: str) -> bool:
        del experiment
        fault = await self._find(action)
        return fault is not None and await self._ask("DELETE", f"/{fault['id']}") is not None

    async def met(self, action: Action, experiment: str) -> int | None:
        """A part that is paused or held down has met it."""
        del experiment
        return None if await self._find(action) is None else 1

    async def _find(self, action: Action) -> dict[str, Any] | None:
        found = (await self._ask("GET", "") or {}).get("faults", ())
        wanted = (action.target, action.type)
        return next((one for one in found if (one["part"], one["kind"]) == wanted), None)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return await self._wire.ask(method, f"{self._url}{path}", token=self._token, body=body)


_OWNERS: Final[Mapping[OwnerKind, Callable[[Wire, Owner, Roster], FaultOwner]]] = {
    OwnerKind.PROCESS: ProcessOwner,
    OwnerKind.PROXIES: ProxiesOwner,
    OwnerKind.SUPERVISOR: SupervisorOwner,
}


def owners(wire: Wire, roster: Roster) -> dict[str, FaultOwner]:
    """Every owner of the roster by its name; those with one of a kind by the kind's as well."""
    found: dict[str, FaultOwner] = {}
    for owner in roster.owners:
        made = _OWNERS[owner.kind](wire, owner, roster)
        found[owner.name] = made
        if owner.kind is not OwnerKind.PROCESS:
            found[owner.kind.value] = made
    return found


def _named(action: Action, experiment: str) -> str:
    return f"{experiment}.{action.id}"


def _connections(page: str, action: Action) -> int:
    name = "baluarte_proxy_toxic_connections_total"
    wanted = {("proxy", action.target), ("type", action.type)}
    return int(sum(value for _, labels, value in parse(page, {name}) if wanted <= labels))
