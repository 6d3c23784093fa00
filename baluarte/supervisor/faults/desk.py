"""Where faults are asked for, kept until their leases end, and undone."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from baluarte.supervisor.faults.kinds import KINDS
from baluarte.supervisor.faults.leases import Fault, Leases
from baluarte.supervisor.faults.refusal import Refused
from baluarte.supervisor.faults.request import Wanted
from baluarte.supervisor.part import Part

_ID_BYTES = 4  # enough to tell a dozen faults apart, short enough to be typed


@dataclass(slots=True)
class Desk:
    """Injects faults into parts and undoes them.

    `parts` gives those that there are at the moment; `say(text, level, part)` is heard by the operator;
    `crashed` hears of a bug in the keeping of the leases, after which nothing may run on.
    """

    parts: Callable[[], Collection[Part]]
    say: Callable[[str, str, str], None]
    crashed: Callable[[BaseException], None]
    clock: Callable[[], float] = time.monotonic
    _leases: Leases = field(default_factory=Leases)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Those in place."""
        return self._leases.faults

    async def inject(self, wanted: Wanted) -> Fault:
        """Grant the lease, then do it. Raises `Refused`; nothing was changed then."""
        async with self._turn:
            self._refuse_conflict(wanted)
            now, kind = self.clock(), wanted.kind
            ends = now + wanted.seconds
            fault = Fault(
                secrets.token_hex(_ID_BYTES),
                wanted.part,
                kind.name,
                kind.aspect,
                now,
                ends,
                wanted.delay,
                wanted.experiment,
            )
            if kind.has_lease:  # before it is done: whatever happens now, it ends
                self._leases = self._leases.granted(fault)
                self._changed.set()
            self.say(f"{kind.says(fault)} (fault {fault.id})", "warning", fault.part)
            part = self._part(wanted.part)
            if part is None or not await part.ask(kind.begin(fault)):
                self._leases = self._leases.without(fault.id)
                self.say(f"nothing done (fault {fault.id}): it is not running", "info", fault.part)
                text = f"{wanted.part} has no process that could be hit; look at /state, then again"
                raise Refused(409, "PART_NOT_RUNNING", text)
            return fault

    async def renew(self, fault_id: str, seconds: float) -> Fault:
        """Let the lease of a fault start anew. Raises `Refused` when there is none of that id."""
        async with self._turn:
            self._known(fault_id)
            self._leases = self._leases.renewed(fault_id, self.clock() + seconds)
            self._changed.set()
            return self._known(fault_id)

    async def revert(self, fault_id: str) -> Fault:
        """Undo one fault. Raises `Refused` when there is none of that id (any more)."""
        async with self._turn:
            fault = self._known(fault_id)
            await self._end(fault, "taken back")
            return fault

    async def revert_all(self) -> tuple[Fault, ...]:
        """The kill switch: undo everything that is in place."""
        async with self._turn:
            reverted = self._leases.faults
            for fault in reverted:
                await self._end(fault, "taken back")
            return reverted

    def about(self, part: str) -> dict[str, Any]:
        """What a snapshot says of the faults in a part."""
        return {"faults": [self.describe(fault) for fault in self._leases.on(part)]}

    def describe(self, fault: Fault) -> dict[str, Any]:
        """A fault as the API shows it. `endsAt` is for people: the lease runs on another clock."""
        remaining = fault.remaining(self.clock())
        told: dict[str, Any] = {
            "id": fault.id,
            "part": fault.part,
            "kind": fault.kind,
            "remainingSeconds": round(remaining, 1),
            "endsAt": round(time.time() + remaining, 1),
        }
        told |= {"experiment": fault.experiment} if fault.experiment else {}
        return told | ({"delay": fault.delay} if KINDS[fault.kind].has_delay else {})

    @contextlib.asynccontextmanager
    async def keeping(self) -> AsyncIterator[None]:
        """While it is open, leases end by themselves."""
        keeper = asyncio.create_task(self._keep(), name="leases of faults")
        keeper.add_done_callback(self._kept)
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            async with self._turn:
                for fault in self._leases.due(self.clock()):
                    await self._end(fault, "its time is over")
            self._changed.clear()
            left = self._leases.next_end(self.clock())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        """A bug in here must not leave a fault: the supervisor stops, which undoes all."""
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self.crashed(error)

    async def _end(self, fault: Fault, why: str) -> None:
        """Undo it first, then forget it: a lease that is forgotten first could be lost in between."""
        event, part = KINDS[fault.kind].end, self._part(fault.part)
        if event is not None and part is not None:
            await part.ask(event)
        self._leases = self._leases.without(fault.id)
        self.say(f"{fault.kind} is over: {why} (fault {fault.id})", "info", fault.part)

    def _known(self, fault_id: str) -> Fault:
        fault = self._leases.named(fault_id)
        if fault is None:
            raise Refused(404, "FAULT_UNKNOWN", "no such fault is in place: it may have ended")
        return fault

    def _part(self, name: str) -> Part | None:
        return next((part for part in self.parts() if part.name == name), None)

    def _refuse_conflict(self, wanted: Wanted) -> None:
        other = self._leases.in_the_way(wanted.part, wanted.kind.aspect)
        if other is None:
            return
        left = other.remaining(self.clock())
        raise Refused(
            409,
            "FAULT_CONFLICT",
            f"{other.part} already has fault {other.id}: {other.kind}, for another {left:.0f} s; "
            f"wait, or take it back with DELETE /faults/{other.id}",
        )
