"""`baluarte chaos stop` and `faults`: every owner of faults is asked directly, whoever else is dead."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from baluarte.errors import BaluarteError
from baluarte.supervisor import client, occupancy
from chaos import roster as rosters
from chaos.owners.switch import Said, list_all, stop_all
from chaos.roster import OwnerKind, Roster

Tell = Callable[[str], object]
_Ask = Callable[[Roster], Awaitable[list[Said]]]


def roster_of(state: Path) -> Roster:
    """The roster of a platform that runs, or was killed, under `--chaos`.

    Raises `BaluarteError` NOT_RUNNING, CHAOS_OFF or ROSTER_UNREADABLE.
    """
    try:
        return rosters.read(state)
    except FileNotFoundError:
        # NOT_RUNNING or CHAOS_OFF, if that is why.
        client.ask(occupancy.address(state), "GET", "/faults")
        raise _unreadable(state, "it is gone") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise _unreadable(state, str(error)) from error


def _unreadable(state: Path, why: str) -> BaluarteError:
    what = f"{state / rosters.FILE} cannot be read: {why}"
    return BaluarteError.of(
        "ROSTER_UNREADABLE", what, "restart the platform, which ends every fault"
    )


def stop(state: Path, tell: Tell) -> None:
    """End every fault. Raises `BaluarteError`; FAULTS_LEFT where an owner that lives was not reached."""
    for part in _continued(state):
        tell(f"supervisor: gone; continued {part}, which it had paused, so that it ends")
    if _nothing_runs(state):
        tell("nothing runs any more: no fault is in place")
        return
    said = _ask(state, stop_all)
    _tell(said, "undone", tell)
    _refuse_silence(state, said)
    tell("no fault is in place")


def show(state: Path, tell: Tell) -> None:
    """Tell which faults are in place. Raises `BaluarteError`, as `stop`."""
    if _nothing_runs(state):
        tell("nothing runs any more: no fault is in place")
        return
    said = _ask(state, list_all)
    _tell(said, "in place", tell)
    paused = {
        fault.target
        for one in said
        if one.kind is OwnerKind.SUPERVISOR
        for fault in one.faults
        if fault.type == "pause"
    }
    # Who is paused says nothing, and that is known.
    _refuse_silence(state, [one for one in said if one.owner not in paused])
    if not any(one.faults for one in said):
        tell("no fault is in place")


def _continued(state: Path) -> list[str]:
    """Parts that a killed supervisor had left paused, and that go on now."""
    return [] if occupancy.is_occupied(state) else occupancy.continue_leftovers(state)


def _nothing_runs(state: Path) -> bool:
    """Whether a platform was killed with all its parts. Raises NOT_RUNNING where there was none."""
    if occupancy.is_occupied(state) or occupancy.recorded(state):
        return False
    roster_of(state)
    return True


def _ask(state: Path, ask: _Ask) -> list[Said]:
    roster = roster_of(state)

    async def run() -> list[Said]:
        return await ask(roster)

    return asyncio.run(run())


def _tell(said: Sequence[Said], verb: str, tell: Tell) -> None:
    for one in said:
        for fault in one.faults:
            tell(f"{one.owner}: {verb}: {fault.words}")
        if one.gone:
            tell(f"{one.owner}: nobody listens there; whatever faults it had are gone with it")


def _refuse_silence(state: Path, said: Sequence[Said]) -> None:
    """An owner that lives and was not reached may hold faults; one that is dead holds none."""
    alive = _alive(state)
    silent = [one for one in said if one.problem and one.owner in alive]
    if not silent:
        return
    names = "; ".join(f"{one.owner} (pid {alive[one.owner]}): {one.problem}" for one in silent)
    first = silent[0]
    wake = f"`kill -CONT {alive[first.owner]}`"
    end = f"`kill -9 {alive[first.owner]}`"
    then = (
        "ends the platform" if first.kind is OwnerKind.SUPERVISOR else "restarts it without faults"
    )
    raise BaluarteError.of(
        "FAULTS_LEFT",
        f"not every owner of faults was reached: {names}",
        f"say it again; {wake} if it is stopped, {end} {then}. Faults end with their leases, too",
    )


def _alive(state: Path) -> Mapping[str, int]:
    """Owners that live, with their pids."""
    alive = dict(occupancy.recorded(state))
    if occupancy.is_occupied(state):
        alive["supervisor"] = occupancy.address(state).pid
    return alive
