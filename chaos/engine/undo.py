"""The faults in place, and the certainty that they go: an undo stack, short leases, a heartbeat.

An entry is on the stack before its action begins, so that an action that hangs, or that is cut off in the
middle, is taken back as well. What cannot be taken back, because its owner does not answer, ends with its
lease on the owner's own clock; the stack waits until that is over and says so.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chaos.engine.plan import Action
from chaos.engine.ports import FaultOwner, OwnerError
from chaos.record import AppliedFault

ACTION_SECONDS: Final = 5.0
"""For one request to an owner: they are on this machine, and a paused one must not hold the run."""

HEARTBEAT_SECONDS: Final = 1.0
"""Between renewals: a lease of ten seconds bears nine that are lost."""

RETRY_SECONDS: Final = 0.3
"""Between tries to take a fault back."""

PATIENCE_SECONDS: Final = 3.0
"""Beyond a lease: then it is over, however late its owner's timer ran."""


class InjectionError(Exception):
    """A fault could not be put in place: the run is worth nothing."""


class VanishedError(Exception):
    """Faults went without us: somebody stopped the experiment."""


@dataclass(slots=True)
class Entry:
    """One action on the stack. Times are seconds of the run."""

    action: Action
    since: float
    """When it was put on the stack."""
    began: float | None = None
    ended: float | None = None
    ended_by: str = ""
    renewed: float = 0.0
    met: int | None = None

    @property
    def open(self) -> bool:
        return self.ended is None


class Stack:
    """All actions of a run.

    Args:
        owners: by their names in the roster.
        experiment: the run's id, under which owners keep its faults.
        clock: seconds of the run.
        say: takes a line for the log.
    """

    def __init__(
        self,
        owners: Mapping[str, FaultOwner],
        experiment: str,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._owners = owners
        self._experiment = experiment
        self._clock = clock
        self._say = say
        self.entries: list[Entry] = []

    @property
    def open(self) -> list[Entry]:
        """What may be in place."""
        return [entry for entry in self.entries if entry.open]

    async def begin(self, action: Action) -> None:
        """Put a fault in place. Raises InjectionError."""
        entry = Entry(action, since=self._clock(), renewed=self._clock())
        self.entries.append(entry)
        owner = self._owners[action.owner_name]
        try:
            async with asyncio.timeout(ACTION_SECONDS):
                await owner.begin(action, self._experiment)
        except (OwnerError, TimeoutError) as error:
            said = str(error) or f"no answer within {ACTION_SECONDS:g} s"
            raise InjectionError(f"{action.words} was not put in place: {said}") from error
        entry.began = self._clock()
        self._say(f"fault begins: {action.words}")
        if action.seconds is None:
            entry.ended, entry.ended_by, entry.met = entry.began, "once", 1

    async def end(self, action: Action) -> None:
        """Take one fault back."""
        for entry in self.entries:
            if entry.action.id == action.id and entry.open:
                await self._end(entry, "engine")

    async def end_all(self, by: str = "engine") -> None:
        """Take everything back, at once and side by side."""
        await asyncio.gather(*(self._end(entry, by) for entry in self.open))

    async def beat(self) -> None:
        """Renew what is in place, for ever. Raises VanishedError when a fault is gone without us."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            entries = [entry for entry in self.open if entry.began is not None]
            await asyncio.gather(*(self._renew(entry) for entry in entries))

    async def _renew(self, entry: Entry) -> None:
        action, owner = entry.action, self._owners[entry.action.owner_name]
        try:
            async with asyncio.timeout(ACTION_SECONDS):
                there = await owner.renew(action, self._experiment)
                entry.met = await self._met(entry, owner)
        except (OwnerError, TimeoutError):
            return  # a paused or dead owner: its lease runs on, and the next beat is near
        if there:
            entry.renewed = self._clock()
        elif entry.open and not self._may_be_gone(entry):
            entry.ended, entry.ended_by = self._clock(), "stop"
            raise VanishedError(f"{action.words} was taken back by somebody else")

    def _may_be_gone(self, entry: Entry) -> bool:
        """Whether its process was killed by another action of ours, and lost its faults with its memory."""
        others = (one.action for one in self.entries if one is not entry)
        if not any(
            other.target == entry.action.target and other.owner != entry.action.owner
            for other in others
        ):
            return False
        entry.ended, entry.ended_by = self._clock(), "restart"
        self._say(f"fault is gone with its process' restart: {entry.action.words}")
        return True

    async def _end(self, entry: Entry, by: str) -> None:
        owner, action = self._owners[entry.action.owner_name], entry.action
        over = entry.renewed + action.lease + PATIENCE_SECONDS
        while entry.open:
            with contextlib.suppress(OwnerError, TimeoutError):
                async with asyncio.timeout(ACTION_SECONDS):
                    entry.met = await self._met(entry, owner)
                    there = await owner.end(action, self._experiment)
                    entry.ended_by = by if there or entry.began is None else "lease"
                    break
            if self._clock() >= over:
                entry.ended_by = "lease"
                break
            await asyncio.sleep(RETRY_SECONDS)
        if entry.open:
            entry.ended = self._clock()
            self._say(f"fault ends ({entry.ended_by}): {action.words}")

    async def _met(self, entry: Entry, owner: FaultOwner) -> int | None:
        try:
            found = await owner.met(entry.action, self._experiment)
        except OwnerError:
            return entry.met
        return entry.met if found is None else max(found, entry.met or 0)

    def applied(self) -> tuple[AppliedFault, ...]:
        """What was really put in place, for the record."""
        return tuple(_applied(entry) for entry in self.entries if entry.began is not None)


def _applied(entry: Entry) -> AppliedFault:
    action = entry.action
    parameters: dict[str, Any] = {**action.attributes, **action.narrowing}
    return AppliedFault(
        id=action.id,
        owner=action.owner_name,
        kind=action.type,
        target=action.target,
        words=action.words,
        start=entry.began or 0.0,
        end=entry.ended,
        ended_by=entry.ended_by,
        met=entry.met,
        parameters=parameters,
    )
