"""`baluarte chaos`: faults on purpose, one by one, and the kill switch.

Each command speaks to the owner of the faults directly: it works with the gateway and everything else
dead. Scenarios (`baluarte chaos run`) will stand beside these.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from baluarte.errors import BaluarteError
from baluarte.terminal import readable_errors, state_directory

_seconds = click.option(
    "--seconds",
    type=float,
    default=30.0,
    show_default=True,
    help="When it ends by itself; 600 at most.",
)


@click.group(name="chaos")
def chaos() -> None:
    """Kill, pause and hold down parts of a platform that was started with --chaos.

    Every fault ends by itself; `baluarte chaos stop` ends all of them at once.
    """


@chaos.command()
@state_directory
def stop(state_dir: Path) -> None:
    """Undo every fault, now.

    Where no supervisor runs any more, parts that it left paused are continued, so that they end.
    """
    from baluarte.supervisor import client, occupancy

    state = state_dir.absolute()
    with readable_errors():
        try:
            address = occupancy.address(state)
        except BaluarteError:
            if not (left := occupancy.continue_leftovers(state)):
                raise
            click.echo(f"the supervisor is gone; continued what it left: {', '.join(left)}")
            return
        faults = client.ask(address, "DELETE", "/faults")["faults"]
    for fault in faults:
        click.echo(f"undone: {_words(fault)}")
    click.echo("no fault is in place")


@chaos.command()
@state_directory
def faults(state_dir: Path) -> None:
    """Show the faults that are in place."""
    from baluarte.supervisor import client, occupancy

    with readable_errors():
        found = client.ask(occupancy.address(state_dir.absolute()), "GET", "/faults")["faults"]
    for fault in found:
        click.echo(_words(fault))
    if not found:
        click.echo("no fault is in place")


@chaos.command()
@state_directory
@click.argument("part")
def kill(state_dir: Path, part: str) -> None:
    """SIGKILL for PART, once; it is restarted as after any death."""
    _inject(state_dir, {"part": part, "kind": "kill"})


@chaos.command()
@state_directory
@click.argument("part")
@_seconds
def pause(state_dir: Path, part: str, seconds: float) -> None:
    """Stop PART in its tracks: it accepts connections and answers nothing."""
    _inject(state_dir, {"part": part, "kind": "pause", "seconds": seconds})


@chaos.command()
@state_directory
@click.argument("part")
@_seconds
def hold(state_dir: Path, part: str, seconds: float) -> None:
    """End PART and do not restart it until the time is over."""
    _inject(state_dir, {"part": part, "kind": "hold_down", "seconds": seconds})


@chaos.command(name="slow-start")
@state_directory
@click.argument("part")
@_seconds
@click.option("--delay", type=float, default=5.0, show_default=True, help="Seconds per start.")
def slow_start(state_dir: Path, part: str, seconds: float, delay: float) -> None:
    """Make the next starts of PART late."""
    wanted = {"part": part, "kind": "slow_start", "seconds": seconds, "delay": delay}
    _inject(state_dir, wanted)


def _inject(state_dir: Path, wanted: Mapping[str, Any]) -> None:
    from baluarte.supervisor import client, occupancy

    with readable_errors():
        fault = client.ask(occupancy.address(state_dir.absolute()), "POST", "/faults", wanted)
    click.echo(_words(fault))


def _words(fault: Mapping[str, Any]) -> str:
    left = fault["remainingSeconds"]
    until = f", for another {left:g} s at most" if left else ""
    return f"{fault['part']}: {fault['kind']} (fault {fault['id']}){until}"
