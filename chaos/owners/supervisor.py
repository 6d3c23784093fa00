"""The supervisor: it kills, pauses, holds down and starts late what it supervises."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chaos.owners.line import Line
from chaos.owners.owner import Placed
from chaos.roster import OwnerKind

LATE: Final = "slow_start"
"""The kind that meets a part only when it starts, which nobody counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFault:
    """A fault of a process as a whole.

    Attributes:
        part: as the supervisor calls it.
        type: `kill`, `pause`, `hold_down` or `slow_start`.
        lease_seconds: None for `kill`, which is over at once.
        delay: seconds by which starts are late, of `slow_start`.
        experiment: who asks, for metrics; empty for nobody in particular.
    """

    part: str
    type: str
    lease_seconds: float | None = None
    delay: float | None = None
    experiment: str = ""


class _Fault(msgspec.Struct, rename="camel"):
    id: str
    part: str
    kind: str
    remaining_seconds: float
    delay: float | None = None
    experiment: str = ""


class _Faults(msgspec.Struct):
    faults: tuple[_Fault, ...]


class SupervisorOwner:
    """The faults of `baluarte/supervisor/faults/`, over its API."""

    kind: Final = OwnerKind.SUPERVISOR

    def __init__(self, line: Line) -> None:
        self._line = line
        self.name = line.name

    async def inject(self, order: PartFault) -> Placed:
        """See `FaultOwner`. When this returns, the part has got its signal."""
        wanted = {
            "part": order.part,
            "kind": order.type,
            "seconds": order.lease_seconds,
            "delay": order.delay,
            "experiment": order.experiment or None,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return self._placed(await self._line.ask("POST", "/faults", _Fault, body))

    async def look(self, fault: str) -> Placed | None:
        """See `FaultOwner`."""
        return next((one for one in await self.list() if one.id == fault), None)

    async def renew(self, fault: str, seconds: float) -> Placed | None:
        """See `FaultOwner`."""
        path = f"/faults/{fault}/lease"
        found = await self._line.find("POST", path, _Fault, {"seconds": seconds})
        return None if found is None else self._placed(found)

    async def revert(self, fault: str) -> Placed | None:
        """See `FaultOwner`."""
        found = await self._line.find("DELETE", f"/faults/{fault}", _Fault)
        return None if found is None else self._placed(found)

    async def list(self) -> tuple[Placed, ...]:
        """See `FaultOwner`."""
        return self._all(await self._line.ask("GET", "/faults", _Faults))

    async def revert_all(self) -> tuple[Placed, ...]:
        """See `FaultOwner`."""
        return self._all(await self._line.ask("DELETE", "/faults", _Faults))

    def _all(self, found: _Faults) -> tuple[Placed, ...]:
        return tuple(self._placed(fault) for fault in found.faults)

    def _placed(self, fault: _Fault) -> Placed:
        about: dict[str, Any] = {} if fault.delay is None else {"delay": fault.delay}
        about |= {"experiment": fault.experiment} if fault.experiment else {}
        return Placed(
            owner=self.name,
            id=fault.id,
            target=fault.part,
            type=fault.kind,
            remaining=fault.remaining_seconds,
            met=None if fault.kind == LATE else 1,
            about=about,
        )
