"""The owners of faults as the engine needs them: a fault is known by its action, not by its owner's id.

So a fault is found, and taken back, whoever lost the answer to its injection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chaos.engine.plan import Action
from chaos.engine.ports import OwnerError
from chaos.owners import Crew, Down, PartFault, Placed, Toxic
from chaos.owners import FaultOwner as Client
from chaos.owners import OwnerError as ClientError
from chaos.roster import OwnerKind
from chaos.scenarios.faults.edge import DOWN
from chassis.faults.contract import NewFault, Target


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between kinds of owners.

    Attributes:
        order: what to ask the owner for, under the name that is given.
        is_it: whether a fault that the owner holds is the action's.
    """

    order: Callable[[Action, str], Any]
    is_it: Callable[[Placed, Action, str], bool]


class Appointed:
    """One owner, through its client."""

    def __init__(self, client: Client[Any], kind: Kind) -> None:
        self._client = client
        self._kind = kind

    async def begin(self, action: Action, experiment: str) -> None:
        """Put it in place."""
        try:
            await self._client.inject(self._kind.order(action, _named(action, experiment)))
        except ClientError as error:
            raise OwnerError(str(error)) from error

    async def renew(self, action: Action, experiment: str) -> bool:
        """Start its lease anew; False when it is not there."""
        found = await self._find(action, experiment)
        if found is None:
            return False
        try:
            return await self._client.renew(found.id, action.lease) is not None
        except ClientError as error:
            raise OwnerError(str(error)) from error

    async def end(self, action: Action, experiment: str) -> bool:
        """Take it back; False when it was not there."""
        found = await self._find(action, experiment)
        if found is None:
            return False
        try:
            return await self._client.revert(found.id) is not None
        except ClientError as error:
            raise OwnerError(str(error)) from error

    async def met(self, action: Action, experiment: str) -> int | None:
        """How many met it, as its owner counts."""
        found = await self._find(action, experiment)
        return None if found is None else found.met

    async def _find(self, action: Action, experiment: str) -> Placed | None:
        name = _named(action, experiment)
        try:
            held = await self._client.list()
        except ClientError as error:
            raise OwnerError(str(error)) from error
        return next((one for one in held if self._kind.is_it(one, action, name)), None)


def _named(action: Action, experiment: str) -> str:
    return f"{experiment}.{action.id}"


def _new_fault(action: Action, name: str) -> NewFault:
    return NewFault(
        type=action.type,
        attributes=dict(action.attributes),
        target=msgspec.convert(dict(action.narrowing), Target),
        duration=action.duration,
        lease_seconds=action.lease,
        experiment=name,
        seed=action.seed,
    )


def _toxic_or_down(action: Action, name: str) -> Toxic | Down:
    if action.type == DOWN:
        return Down(edge=action.target, lease_seconds=action.lease, experiment=name)
    return Toxic(
        edge=action.target,
        type=action.type,
        lease_seconds=action.lease,
        attributes={key: int(value) for key, value in action.attributes.items()},
        name=name,
        experiment=name,
        **action.narrowing,
    )


def _part_fault(action: Action, name: str) -> PartFault:
    return PartFault(
        part=action.target,
        type=action.type,
        lease_seconds=action.lease or None,
        experiment=name,
        **action.attributes,
    )


def _on_edge(placed: Placed, action: Action, name: str) -> bool:
    return placed.id == (action.target if action.type == DOWN else f"{action.target}/{name}")


KINDS: Final[Mapping[OwnerKind, Kind]] = {
    OwnerKind.PROCESS: Kind(_new_fault, lambda one, _, name: one.about.get("experiment") == name),
    OwnerKind.PROXIES: Kind(_toxic_or_down, _on_edge),
    OwnerKind.SUPERVISOR: Kind(
        _part_fault, lambda one, action, _: (one.target, one.type) == (action.target, action.type)
    ),
}


def appointed(crew: Crew) -> dict[str, Appointed]:
    """Every owner of a platform by its name; the only one of a kind by the kind's as well."""
    found: dict[str, Appointed] = {}
    for name, client in crew.by_name.items():
        one = found[name] = Appointed(client, KINDS[client.kind])
        if client.kind is not OwnerKind.PROCESS:
            found[client.kind.value] = one
    return found
