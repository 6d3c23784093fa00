"""The command line. Each command is thin: it reads options, calls what does the work, shows."""

import contextlib
import json
import os
import tomllib
from importlib import metadata
from pathlib import Path

import click

from baluarte.chaos.commands import COMMANDS
from baluarte.chaos_commands import chaos
from baluarte.chaos_explore import explore
from baluarte.console.command import console
from baluarte.deploy_commands import demo, migrate, secrets
from baluarte.errors import BaluarteError
from baluarte.terminal import readable_errors, state_directory

HOUSES = Path(__file__).resolve().parent.parent


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Show the version and exit."""
    if not wanted or context.resilient_parsing:
        return
    try:
        version = metadata.version("baluarte")
    except metadata.PackageNotFoundError:  # used from a checkout
        project = tomllib.loads((HOUSES / "pyproject.toml").read_text())
        version = project["project"]["version"]
    click.echo(f"baluarte {version}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version)
def main() -> None:
    """Baluarte: a banking GraphQL platform that keeps its promises when parts of it fail.

    `baluarte up` starts everything on this machine; no Docker is needed. Exit codes: 0 well,
    1 a problem that is told with its way out, 2 wrong usage, 3 not running.
    """


def _replicas(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    chosen = {}
    for value in values:
        name, _separator, count = value.partition("=")
        if not name or not count.isdecimal():
            raise click.BadParameter(f"{value!r} is not NAME=N, for example users=2")
        chosen[name] = int(count)
    return chosen


@main.command()
@state_directory
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="Port of the gateway. [default: 8000, or BALUARTE_GATEWAY_PORT]",
)
@click.option(
    "--replicas",
    multiple=True,
    metavar="NAME=N",
    callback=_replicas,
    help="Run N processes of a service, for example users=2. May be given several times.",
)
@click.option("--fresh", is_flag=True, help="Forget all data, keys and logs, and start over.")
@click.option("--demo/--no-demo", default=True, help="Load demonstration data at the first start.")
@click.option("--chaos", is_flag=True, help="Let faults be injected (`baluarte chaos`).")
@click.option("--chaos-in-production", is_flag=True, help="The second word for --chaos there.")
@click.option("--monitoring", is_flag=True, help="Run Prometheus and Alertmanager beside it.")
def up(
    state_dir: Path,
    port: int | None,
    replicas: dict[str, int],
    *,
    fresh: bool,
    demo: bool,
    chaos: bool,
    chaos_in_production: bool,
    monitoring: bool,
) -> None:
    """Start the whole platform and keep it running until Ctrl-C.

    PostgreSQL and Valkey are started from this environment's packages unless BALUARTE_DATABASE_URL
    (or BALUARTE_<SERVICE>_DATABASE_URL) and BALUARTE_REDIS_URL name others. With BALUARTE_AMQP_URL
    events go through RabbitMQ. A second Ctrl-C stops at once.
    """
    from baluarte import up as platform
    from baluarte.supervisor.plan import Options
    from baluarte.supervisor.screen import Screen

    with readable_errors():
        options = Options(
            state_dir.absolute(), port, replicas, demo, chaos, chaos_in_production, monitoring
        )
        platform.run(options, os.environ, fresh=fresh, screen=Screen())


@main.command()
@state_directory
@click.option("--json", "as_json", is_flag=True, help="The whole answer, for programs.")
def status(state_dir: Path, *, as_json: bool) -> None:
    """Show how each part is: state, pid, restarts, uptime, address."""
    from baluarte.supervisor import client, occupancy

    with readable_errors():
        state = client.fetch_state(occupancy.address(state_dir.absolute()))
    if as_json:
        click.echo(json.dumps(state, indent=2))
        return
    from baluarte.supervisor.screen import show_state

    show_state(state)


@main.command()
@state_directory
@click.argument("parts", nargs=-1)
@click.option("--correlation", metavar="ID", help="Only lines with this correlation id.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option("--last", "-n", type=click.IntRange(0), default=200, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Lines as they were written.")
def logs(
    state_dir: Path,
    parts: tuple[str, ...],
    correlation: str | None,
    last: int,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Show what the parts wrote, merged by time; all parts unless PARTS are named."""
    from baluarte.supervisor import logfiles

    directory = state_dir.absolute() / "logs"
    with readable_errors():
        _refuse_unknown_parts(parts, logfiles.parts(directory), directory)

    def show(entry: logfiles.Entry) -> None:
        click.echo(json.dumps(entry) if as_json else logfiles.readable(entry))

    follower = logfiles.Follower(directory, parts)
    for entry in logfiles.entries(directory, parts, correlation_id=correlation, last=last):
        show(entry)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            logfiles.follow(follower, show, correlation_id=correlation)


def _refuse_unknown_parts(parts: tuple[str, ...], known: list[str], directory: Path) -> None:
    if not known:
        raise BaluarteError.of(
            "NO_LOGS", f"there are no logs in {directory}", "start with `baluarte up` first"
        )
    if unknown := [part for part in parts if part not in known]:
        raise BaluarteError.of(
            "PART_UNKNOWN",
            f"there are no logs of {', '.join(unknown)}",
            f"choose among {', '.join(known)}",
        )


for command in (*COMMANDS, explore):
    chaos.add_command(command)
for command in (chaos, console, demo, migrate, secrets):
    main.add_command(command)
