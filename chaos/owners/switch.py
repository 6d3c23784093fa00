"""The kill switch: every owner of faults is told directly, at once, whoever else is dead.

The supervisor has a small head start, since it lets paused processes go on, which can then answer. Nobody
waits for anybody longer than that: an owner that fails is reported, and all others are done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from chaos.owners.crew import crew
from chaos.owners.owner import Code, FaultOwner, OwnerError, Placed
from chaos.roster import OwnerKind, Roster

SECONDS: Final = 3.0
"""For one owner, in all."""

HEAD_START: Final = 0.5
"""Seconds for the supervisor alone; it needs milliseconds, and may be hanging."""

_Ask = Callable[[FaultOwner[Any]], Awaitable[tuple[Placed, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one owner answered.

    Attributes:
        faults: those in place; of `stop_all`, those that it has ended.
        error: why it is not known what became of its faults.
    """

    owner: str
    kind: OwnerKind
    faults: tuple[Placed, ...] = ()
    error: OwnerError | None = None

    @property
    def gone(self) -> bool:
        """Nobody listens there; its faults are gone with it."""
        return self.error is not None and self.error.code is Code.GONE

    @property
    def problem(self) -> str:
        """What is wrong, of an owner that may hold faults; empty when all is well."""
        return "" if self.error is None or self.gone else self.error.said


async def stop_all(roster: Roster, seconds: float = SECONDS) -> list[Said]:
    """End every fault of every owner. Takes at most `seconds` and the head start."""
    return await _ask_all(roster, lambda owner: owner.revert_all(), seconds)


async def list_all(roster: Roster, seconds: float = SECONDS) -> list[Said]:
    """The faults of every owner."""
    return await _ask_all(roster, lambda owner: owner.list(), seconds)


async def _ask_all(roster: Roster, ask: _Ask, seconds: float) -> list[Said]:
    async with crew(roster, seconds) as found:
        owners = list(found.by_name.values())
        first = [owner for owner in owners if owner.kind is OwnerKind.SUPERVISOR]
        rest = [owner for owner in owners if owner.kind is not OwnerKind.SUPERVISOR]
        asked = [asyncio.create_task(_ask_one(owner, ask, seconds)) for owner in first]
        if asked:
            await asyncio.wait(asked, timeout=HEAD_START)
        asked += [asyncio.create_task(_ask_one(owner, ask, seconds)) for owner in rest]
        await asyncio.wait(asked)  # all of them, should one end with a bug of ours
        return [task.result() for task in asked]


async def _ask_one(owner: FaultOwner[Any], ask: _Ask, seconds: float) -> Said:
    try:
        async with asyncio.timeout(seconds):
            return Said(owner=owner.name, kind=owner.kind, faults=await ask(owner))
    except OwnerError as error:
        return Said(owner=owner.name, kind=owner.kind, error=error)
    except TimeoutError:
        silent = OwnerError(Code.SILENT, owner.name, f"not done within {seconds:g} s")
        return Said(owner=owner.name, kind=owner.kind, error=silent)
