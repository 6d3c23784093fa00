"""`baluarte chaos`: faults on purpose, one by one, and the kill switch.

Each command speaks to the owner of the faults directly: it works with the gateway and everything else
dead. Scenarios (`baluarte chaos run`) will stand beside these.
"""

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


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    """`name=value` pairs, numbers as numbers."""
    found: dict[str, object] = {}
    for pair in values:
        name, separator, text = pair.partition("=")
        if not name or not separator:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE, for example seconds=2")
        try:
            found[name] = int(text)
        except ValueError:
            try:
                found[name] = float(text)
            except ValueError:
                found[name] = text
    return found


@click.group(name="chaos")
def chaos() -> None:
    """Kill, pause and hold down parts of a platform that was started with --chaos.

    Every fault ends by itself; `baluarte chaos stop` ends all of them at once.
    """


@chaos.command()
@state_directory
def stop(state_dir: Path) -> None:
    """Undo every fault, now.

    Supervisor, fault proxies and processes are each told directly. Where no supervisor runs any more,
    parts that it left paused are continued, so that they end.
    """
    from baluarte import kill_switch

    with readable_errors():
        kill_switch.stop(state_dir.absolute())


@chaos.command()
@state_directory
def faults(state_dir: Path) -> None:
    """Show the faults that are in place."""
    from baluarte import kill_switch

    with readable_errors():
        kill_switch.show(state_dir.absolute())


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
@click.argument("toxic")
@click.argument("attributes", nargs=-1, callback=_pairs)
@_seconds
@click.option("--upstream", is_flag=True, help="On what the caller says; else on the answers.")
@click.option("--share", type=click.FloatRange(0, 1), default=1.0, help="Of the connections.")
def toxic(
    state_dir: Path,
    edge: str,
    toxic: str,
    attributes: dict[str, object],
    seconds: float,
    *,
    upstream: bool,
    share: float,
) -> None:
    """Do TOXIC to the connection EDGE, such as: gateway-users latency latency=300 jitter=50."""
    from baluarte import kill_switch

    state = state_dir.absolute()
    body: dict[str, object] = {
        "type": toxic,
        "stream": "upstream" if upstream else "downstream",
        "toxicity": share,
        "attributes": attributes,
        "lease_seconds": seconds,
    }
    with readable_errors():
        name = kill_switch.edge_of(state, edge)
        made = kill_switch.inject(state, "proxies", f"/proxies/{name}/toxics", body)
    click.echo(f"{edge}: {made['type']} ({made['name']}), for {seconds:g} s at most")


@chaos.command()
@state_directory
@click.argument("edge")
@_seconds
def down(state_dir: Path, edge: str, seconds: float) -> None:
    """Cut the connection EDGE: what is open is closed, and what is new is refused."""
    from baluarte import kill_switch

    state = state_dir.absolute()
    with readable_errors():
        name = kill_switch.edge_of(state, edge)
        body: dict[str, object] = {"enabled": False, "lease_seconds": seconds}
        kill_switch.inject(state, "proxies", f"/proxies/{name}", body)
    click.echo(f"{edge}: down, for {seconds:g} s at most")


@chaos.command()
@state_directory
@click.argument("process")
@click.argument("effect")
@click.argument("attributes", nargs=-1, callback=_pairs)
@_seconds
@click.option("--route", help="Only this path; * at its end stands for anything.")
@click.option("--caller", help="Only requests of this service.")
@click.option("--topic", help="Only messages of this topic.")
@click.option("--percent", type=click.FloatRange(0, 100), help="Of what fits.")
@click.option("--first", type=click.IntRange(1), help="Only so many, and then no more.")
def inject(
    state_dir: Path,
    process: str,
    effect: str,
    attributes: dict[str, object],
    seconds: float,
    **target: object,
) -> None:
    """Do EFFECT to what PROCESS answers or publishes, such as: users latency seconds=2."""
    from baluarte import kill_switch

    body: dict[str, object] = {
        "type": effect,
        "attributes": attributes,
        "target": {name: value for name, value in target.items() if value is not None},
        "leaseSeconds": seconds,
        "experiment": "by hand",
    }
    with readable_errors():
        made = kill_switch.inject(state_dir.absolute(), process, "/chaos/faults", body)
    click.echo(f"{process}: {made['type']} (fault {made['id']}), for {seconds:g} s at most")


def _inject(state_dir: Path, wanted: Mapping[str, Any]) -> None:
    from baluarte.supervisor import client, occupancy

    with readable_errors():
        fault = client.ask(occupancy.address(state_dir.absolute()), "POST", "/faults", wanted)
    click.echo(_words(fault))


def _words(fault: Mapping[str, Any]) -> str:
    left = fault["remainingSeconds"]
    until = f", for another {left:g} s at most" if left else ""
    return f"{fault['part']}: {fault['kind']} (fault {fault['id']}){until}"
