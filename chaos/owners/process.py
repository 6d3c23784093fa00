"""A process: its fault point does harm to what it answers, publishes and believes the time to be."""

from typing import Any, Final

import msgspec

from chaos.owners.line import Line
from chaos.owners.owner import Placed
from chaos.roster import OwnerKind
from chassis.faults.contract import Fault, Faults, Lease, NewFault

_FAULTS: Final = "/chaos/faults"


class ProcessOwner:
    """The fault point of one process; `chassis/faults/contract.py` is what is said to it."""

    kind: Final = OwnerKind.PROCESS

    def __init__(self, line: Line) -> None:
        self._line = line
        self.name = line.name

    async def inject(self, order: NewFault) -> Placed:
        """See `FaultOwner`."""
        return self._placed(await self._line.ask("POST", _FAULTS, Fault, order))

    async def look(self, fault: str) -> Placed | None:
        """See `FaultOwner`."""
        return next((one for one in await self.list() if one.id == fault), None)

    async def renew(self, fault: str, seconds: float) -> Placed | None:
        """See `FaultOwner`."""
        lease = Lease(lease_seconds=seconds)
        found = await self._line.find("POST", f"{_FAULTS}/{fault}/lease", Fault, lease)
        return None if found is None else self._placed(found)

    async def revert(self, fault: str) -> Placed | None:
        """See `FaultOwner`."""
        found = await self._line.find("DELETE", f"{_FAULTS}/{fault}", Fault)
        return None if found is None else self._placed(found)

    async def list(self) -> tuple[Placed, ...]:
        """See `FaultOwner`. A process without a fault point has no faults."""
        return self._all(await self._line.find("GET", _FAULTS, Faults))

    async def revert_all(self) -> tuple[Placed, ...]:
        """See `FaultOwner`. A process without a fault point has no faults."""
        return self._all(await self._line.find("DELETE", _FAULTS, Faults))

    def _all(self, found: Faults | None) -> tuple[Placed, ...]:
        return () if found is None else tuple(self._placed(fault) for fault in found.faults)

    def _placed(self, fault: Fault) -> Placed:
        about: dict[str, Any] = {**fault.attributes, **msgspec.to_builtins(fault.target)}
        return Placed(
            owner=self.name,
            id=fault.id,
            target=self.name,
            type=fault.type,
            remaining=fault.remaining_seconds,
            met=fault.met,
            about=about | ({"experiment": fault.experiment} if fault.experiment else {}),
        )
