"""`baluarte chaos`: faults on purpose, one by one, and the kill switch.

Each command speaks to the owner of the faults directly: it works with the gateway and everything else
dead. Scenarios (`baluarte chaos run`) will stand beside these.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from baluarte.terminal import readable_errors, state_directory

_seconds = click.option(
    "--seconds",
    type=float,
    default=30.0,
    show_default=True,
    help="When it ends by itself; 600 at most.",
)


def _attributes(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, int | float | str]:
    """`key=value` pairs; what reads as a number is one."""
    found: dict[str, int | float | str] = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not name or not separator:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE, for example latency=300")
        found[name] = _number(text)
    return found


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


@click.group(name="chaos")
def chaos() -> None:
    """Break parts and connections of a platform that was started with --chaos, on a leash.

    Every fault ends by itself; `baluarte chaos stop` ends all of them at once.
    """


@chaos.command()
@state_directory
def stop(state_dir: Path) -> None:
    """Undo every fault, now.

    Supervisor, fault proxies and processes are each told directly. Where no supervisor runs any more,
    parts that it left paused are continued, so that they end. Exit code 1: an owner that lives was not
    reached.
    """
    from baluarte import kill_switch

    with readable_errors():
        kill_switch.stop(state_dir.absolute(), click.echo)


@chaos.command()
@state_directory
def faults(state_dir: Path) -> None:
    """Show the faults that are in place, at every owner."""
    from baluarte import kill_switch

    with readable_errors():
        kill_switch.show(state_dir.absolute(), click.echo)


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


@chaos.command()
@state_directory
@click.argument("edge")
@click.argument("toxic", metavar="TYPE")
@click.argument("attributes", metavar="[KEY=VALUE]...", nargs=-1, callback=_attributes)
@_seconds
@click.option("--upstream", is_flag=True, help="In what the caller says; else in the answers.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the connections.",
)
def toxic(
    state_dir: Path,
    edge: str,
    toxic: str,
    attributes: dict[str, Any],
    seconds: float,
    share: float,
    *,
    upstream: bool,
) -> None:
    """Harm the connection EDGE, for example: gateway-users latency latency=300 jitter=50."""
    from baluarte import faults_by_hand
    from chaos.owners import Toxic

    order = Toxic(
        edge=edge,
        type=toxic,
        attributes=attributes,
        lease_seconds=seconds,
        stream="upstream" if upstream else "downstream",
        toxicity=share,
    )
    with readable_errors():
        click.echo(faults_by_hand.toxic(state_dir.absolute(), order).words)


@chaos.command()
@state_directory
@click.argument("edge")
@_seconds
def down(state_dir: Path, edge: str, seconds: float) -> None:
    """Cut the connection EDGE: what is open is closed, what is new is refused."""
    from baluarte import faults_by_hand
    from chaos.owners import Down

    order = Down(edge=edge, lease_seconds=seconds)
    with readable_errors():
        click.echo(faults_by_hand.down(state_dir.absolute(), order).words)


@chaos.command()
@state_directory
@click.argument("process")
@click.argument("effect", metavar="TYPE")
@click.argument("attributes", metavar="[KEY=VALUE]...", nargs=-1, callback=_attributes)
@_seconds
@click.option("--route", help="Only this path; a * at its end stands for anything.")
@click.option("--caller", help="Only requests of this service.")
@click.option("--topic", help="Only messages of this topic.")
@click.option("--percent", type=click.FloatRange(0, 100), help="Chance of each that fits.")
@click.option("--first", type=click.IntRange(1), help="Only so many, and then no more.")
def inject(
    state_dir: Path,
    process: str,
    effect: str,
    attributes: dict[str, Any],
    seconds: float,
    **narrowed: Any,
) -> None:
    """Harm what PROCESS answers or publishes, for example: users latency seconds=2 --percent 30."""
    from baluarte import faults_by_hand
    from chassis.faults.contract import NewFault, Target

    target = Target(**{name: value for name, value in narrowed.items() if value is not None})
    order = NewFault(type=effect, attributes=attributes, target=target, lease_seconds=seconds)
    with readable_errors():
        click.echo(faults_by_hand.inject(state_dir.absolute(), process, order).words)


def _inject(state_dir: Path, wanted: Mapping[str, Any]) -> None:
    from baluarte.supervisor import client, occupancy

    with readable_errors():
        fault = client.ask(occupancy.address(state_dir.absolute()), "POST", "/faults", wanted)
    click.echo(_words(fault))


def _words(fault: Mapping[str, Any]) -> str:
    left = fault["remainingSeconds"]
    until = f", for another {left:g} s at most" if left else ""
    return f"{fault['part']}: {fault['kind']} (fault {fault['id']}){until}"
