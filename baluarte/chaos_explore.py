"""`baluarte chaos explore`: every operation under every fault on every call that it makes."""

import asyncio
import contextlib
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from baluarte.errors import BaluarteError
from baluarte.terminal import readable_errors, state_directory

if TYPE_CHECKING:
    from chaos.explore.session import Session
    from chaos.record import Verdict
    from chaos.roster import Roster


@click.command()
@state_directory
@click.option("--up", "own", is_flag=True, help="Bring up a platform of its own for the run.")
@click.option("--quick", is_flag=True, help="One fault at a time, and no service down.")
@click.option("--exhaustive", is_flag=True, help="Combine all calls, leave nothing out; hours.")
@click.option("--operation", "operations", multiple=True, help="Only this root field; repeat it.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder for results.")
@click.option("--write", is_flag=True, help="Take the matrix as the committed one.")
@click.option("--seed", type=int, default=0, help="Of what faults draw.")
@click.option(
    "--replay", type=click.Path(path_type=Path), help="Run a counterexample again, and only that."
)
def explore(
    state_dir: Path,
    own: bool,
    quick: bool,
    exhaustive: bool,
    operations: tuple[str, ...],
    out: Path | None,
    write: bool,
    seed: int,
    replay: Path | None,
) -> None:
    """Break every call of every GraphQL operation, and hold the answers to what the schema declares.

    Learns which calls an operation makes, lets each meet every kind of fault, follows up what the
    platform does about it, and compares the resilience matrix with the committed one. Needs the
    demonstration data, and a platform that nobody else uses.

    Exit codes: 0 all as declared and as committed, 10 something is not, 11 the platform is not well
    without faults, 12 it cannot be asked, 13 a fault was not met.
    """
    from chaos.explore import session as exploring
    from chaos.explore.campaign import Plan
    from chaos.explore.operations import OPERATIONS

    if unknown := set(operations) - set(OPERATIONS):
        raise click.UsageError(f"no root field is called {', '.join(sorted(unknown))}")
    plan = Plan(
        operations=tuple(name for name in OPERATIONS if not operations or name in operations),
        depth=1 if quick else 2,
        down=not quick,
        exhaustive=exhaustive,
    )
    if write and (quick or exhaustive or operations):
        raise click.UsageError("--write takes a whole run: no --quick, --exhaustive, --operation")
    wanted = exploring.Session(
        plan, out or state_dir.absolute() / "explore", write, _command(), seed
    )
    with readable_errors():
        verdict = asyncio.run(_explore(wanted, replay, state_dir.absolute(), own=own))
    click.echo(f"verdict: {verdict}")
    sys.exit(exploring.exit_code(verdict))


async def _explore(
    wanted: "Session", replayed: Path | None, state: Path, *, own: bool
) -> "Verdict":
    from chaos.explore import counterexample, session

    example = None
    if replayed is not None:
        try:
            example = counterexample.load(replayed)
        except counterexample.CounterexampleError as error:
            raise BaluarteError.of(
                "COUNTEREXAMPLE_INVALID", str(error), "name a file that a run has written"
            ) from None
    async with _platform(state, own=own) as roster:
        if example is not None:
            return await session.replay(roster, example, click.echo)
        return await session.run(roster, wanted, click.echo)


@contextlib.asynccontextmanager
async def _platform(state: Path, *, own: bool) -> AsyncIterator["Roster"]:
    """The roster of a platform of one's own, or of the one that runs on `state`."""
    from baluarte.sandbox import sandbox

    if not own:
        yield _roster(state)
        return
    click.echo("a platform of its own is coming up …")
    async with sandbox("--chaos") as running:
        yield _roster(running.state)


def _roster(state: Path) -> "Roster":
    import msgspec

    from chaos import roster

    try:
        found = roster.read(state)
    except OSError:
        raise BaluarteError.of(
            "CHAOS_OFF",
            f"no platform runs with --chaos on {state}",
            "start one with `baluarte up --chaos`, or pass --up",
        ) from None
    except msgspec.MsgspecError as error:
        raise BaluarteError.of(
            "ROSTER_INVALID", f"{state / roster.FILE}: {error}", "start the platform again"
        ) from None
    if found.production:
        raise BaluarteError.of(
            "CHAOS_IN_PRODUCTION",
            "this platform runs with production settings, and an exploration breaks all of it",
            "explore another one: pass --up",
        )
    return found


def _command() -> str:
    return shlex.join(["baluarte", *sys.argv[1:]])
