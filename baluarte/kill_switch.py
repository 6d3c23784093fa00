"""`baluarte chaos stop` and `faults`: every owner of faults, whoever else is dead."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import msgspec

from baluarte.errors import BaluarteError
from baluarte.supervisor import client, occupancy
from chaos import roster as rosters
from chaos import switch
from chaos.roster import OwnerKind, Roster
from chaos.switch import Said


def roster_of(state: Path) -> Roster:
    """The roster of a platform that runs, or ran, with `--chaos`.

    Raises `BaluarteError` NOT_RUNNING or CHAOS_OFF.
    """
    try:
        return rosters.read(state)
    except FileNotFoundError:
        occupancy.address(state)  # NOT_RUNNING, if that is why
        raise BaluarteError.of(
            "CHAOS_OFF",
            "this platform takes no faults: it was started without --chaos",
            "start it with `baluarte up --chaos`",
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise BaluarteError.of(
            "ROSTER_UNREADABLE",
            f"{state / rosters.FILE} cannot be read: {error}",
            "restart the platform; faults end with their leases",
        ) from error


def stop(state: Path) -> None:
    """End every fault and say so. Raises `BaluarteError` FAULTS_LEFT where that is not certain."""
    # A supervisor that was killed may have left parts paused; they end as soon as they go on.
    left = [] if occupancy.is_occupied(state) else occupancy.continue_leftovers(state)
    for part in left:
        click.echo(f"supervisor is gone; continued what it left: {part}")
    try:
        roster = roster_of(state)
    except BaluarteError:
        if not left:
            raise
        return
    _tell_undone(_ask(switch.stop_all, roster))


def show(state: Path) -> None:
    """Say which faults are in place, and which owner is silent (one that is paused, for example)."""
    answers = _ask(switch.list_all, roster_of(state))
    for said in answers:
        for fault in said.faults:
            click.echo(f"in place: {said.owner.name}: {fault}")
        if said.problem:
            click.echo(f"not known: {said.owner.name}: {said.problem}")
    if not any(said.faults or said.problem for said in answers):
        click.echo("no fault is in place")


def _ask(ask: Callable[[Roster], Awaitable[list[Said]]], roster: Roster) -> list[Said]:
    async def run() -> list[Said]:
        return await ask(roster)

    return asyncio.run(run())


def _tell_undone(answers: list[Said]) -> None:
    for said in answers:
        for fault in said.faults:
            click.echo(f"undone: {said.owner.name}: {fault}")
    if all(said.gone for said in answers):
        click.echo("nothing runs any more, so no fault is in place")
        return
    silent = [said for said in answers if said.problem]
    if silent:
        names = "; ".join(f"{said.owner.name}: {said.problem}" for said in silent)
        raise BaluarteError.of(
            "FAULTS_LEFT",
            f"not all owners of faults could be asked ({names})",
            "say it again; every fault ends with its lease in any case, and with its process",
        )
    click.echo("no fault is in place")


def inject(state: Path, owner_name: str, path: str, body: dict[str, object]) -> dict[str, object]:
    """One fault at a process or a proxy; the owner's answer.

    Raises `BaluarteError`, with the owner's own words where it refuses.
    """
    roster = roster_of(state)
    try:
        owner = roster.owner(owner_name)
    except LookupError:
        known = [one.name for one in roster.owners if one.kind is OwnerKind.PROCESS]
        raise BaluarteError.of(
            "PROCESS_UNKNOWN",
            f"no process is called {owner_name}",
            f"choose among {', '.join(known)}",
        ) from None
    token = roster.chaos_token if owner.kind is OwnerKind.PROCESS else ""
    return client.post(owner.url + path, token, body)


def edge_of(state: Path, name: str) -> str:
    """The name of an edge that exists. Raises `BaluarteError` EDGE_UNKNOWN."""
    edges = [edge.name for edge in roster_of(state).edges]
    if name in edges:
        return name
    raise BaluarteError.of(
        "EDGE_UNKNOWN", f"no edge is called {name}", f"choose among {', '.join(sorted(edges))}"
    )
