"""What the commands share: where the state is, how problems are told, and the exit codes."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from baluarte.errors import BaluarteError

EXIT_PROBLEM = 1
EXIT_NOT_RUNNING = 3  # as service managers say it

state_directory = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".baluarte"),
    envvar="BALUARTE_STATE_DIR",
    show_default=True,
    help="Where data, keys and logs are kept.",
)


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """Problems as text with their way out, and an exit code; a traceback is for bugs only."""
    try:
        yield
    except BaluarteError as error:
        click.secho("baluarte cannot go on:", err=True, fg="red")
        for problem in error.problems:
            click.echo(f"- {problem}", err=True)
        sys.exit(EXIT_NOT_RUNNING if error.codes == ("NOT_RUNNING",) else EXIT_PROBLEM)
