"""Single faults in connections and processes, for the commands: names are checked, refusals explained."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from baluarte.errors import BaluarteError
from baluarte.kill_switch import roster_of
from chaos.owners import Crew, Down, OwnerError, Placed, Toxic, crew
from chaos.proxy.toxics import REGISTRY
from chaos.roster import OwnerKind, Roster
from chassis.faults.contract import NewFault


def toxic(state: Path, order: Toxic) -> Placed:
    """Harm an edge. Raises `BaluarteError`: EDGE_UNKNOWN, TOXIC_UNKNOWN, or the proxies' refusal."""
    roster = roster_of(state)
    _refuse_unknown_edge(roster, order.edge)
    known = REGISTRY.get(order.type)
    if known is None:
        raise _unknown("TOXIC_UNKNOWN", "toxic", order.type, REGISTRY)
    takes = ", ".join(known.__struct_fields__)
    return _ask(roster, lambda all_: all_.proxies.inject(order), f"{order.type} takes {takes}")


def down(state: Path, order: Down) -> Placed:
    """Cut an edge. Raises `BaluarteError`: EDGE_UNKNOWN, or the proxies' refusal."""
    roster = roster_of(state)
    _refuse_unknown_edge(roster, order.edge)
    return _ask(roster, lambda all_: all_.proxies.inject(order), "see `baluarte status`")


def inject(state: Path, process: str, order: NewFault) -> Placed:
    """Harm what a process does. Raises `BaluarteError`: PROCESS_UNKNOWN, or the process' refusal."""
    roster = roster_of(state)
    known = [owner.name for owner in roster.owners if owner.kind is OwnerKind.PROCESS]
    if process not in known:
        raise _unknown("PROCESS_UNKNOWN", "process", process, known)
    way_out = "docs/chaos.md lists the types with their attributes and targets"
    return _ask(roster, lambda all_: all_.process(process).inject(order), way_out)


def _refuse_unknown_edge(roster: Roster, name: str) -> None:
    known = [edge.name for edge in roster.edges]
    if name not in known:
        raise _unknown("EDGE_UNKNOWN", "edge", name, known)


def _unknown(code: str, what: str, name: str, known: Collection[str]) -> BaluarteError:
    choice = ", ".join(sorted(known))
    return BaluarteError.of(code, f"there is no {what} {name!r} here", f"choose among {choice}")


def _ask(roster: Roster, do: Callable[[Crew], Awaitable[Placed]], way_out: str) -> Placed:
    async def run() -> Placed:
        async with crew(roster) as everybody:
            return await do(everybody)

    try:
        return asyncio.run(run())
    except OwnerError as error:
        code = error.refusal or error.code.value
        raise BaluarteError.of(code, f"{error.owner}: {error.said}", way_out) from error
