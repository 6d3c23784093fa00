"""Drive the platform and judge what it did with the money.

    python -m chaos.history drive run.jsonl --url http://127.0.0.1:8000/graphql --check
    python -m chaos.history check run.jsonl

Exit codes: 0 valid, 1 violated, 2 unknown or not to be judged.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from chaos.history.auditor import Auditor
from chaos.history.checker import EXIT_CODES, Report, check
from chaos.history.driver import DriveConfig, Run, drive
from chaos.history.events import HistoryError, read_history
from chaos.history.graphql import EnrolError, GraphQLClient
from chaos.history.snapshot import AuditError, Urls
from chaos.history.state import ServerState, load_state, save_state
from chaos.history.verdict import Verdict

DEFAULTS: Final = DriveConfig()

_DATABASES: Final = ("ledger", "transactions", "notifications")


def database_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option per database that the auditor reads."""
    for name in reversed(_DATABASES):
        variable = f"BALUARTE_{name.upper()}_DATABASE_URL"
        option = click.option(
            f"--{name}-url",
            envvar=variable,
            help=f"postgresql://… of the {name} database; a read-only role is enough.  [{variable}]",
        )
        command = option(command)
    return command


def _urls(given: dict[str, str | None]) -> Urls | None:
    """Return the databases, or None when none is named. Naming only some is a mistake."""
    missing = [f"--{name}-url" for name in _DATABASES if not given[f"{name}_url"]]
    if len(missing) == len(_DATABASES):
        return None
    if missing:
        raise click.UsageError(f"give all databases or none; missing: {', '.join(missing)}")
    return Urls(**{name: given[f"{name}_url"] or "" for name in _DATABASES})


@click.group()
def main() -> None:
    """Drive the platform, and judge what it did with the money.

    Exit codes: 0 valid, 1 violated, 2 unknown or not to be judged.
    """


@main.command(name="check")
@click.argument("history", type=click.Path(path_type=Path))
@database_options
@click.option("--state", "state_path", type=click.Path(path_type=Path), help="A saved snapshot.")
@click.option(
    "--save-state", "keep", type=click.Path(path_type=Path), help="Keep the snapshot here."
)
@click.option("--may-be-unknown", multiple=True, help="A check that may have nothing to look at.")
@click.option("--rest", "rest_seconds", default=60.0, help="Most seconds to wait for quiescence.")
def check_command(
    history: Path,
    state_path: Path | None,
    keep: Path | None,
    may_be_unknown: tuple[str, ...],
    rest_seconds: float,
    **given: str | None,
) -> None:
    """Judge HISTORY by the money checks 1 to 11."""
    urls = None if state_path else _urls(given)
    if state_path is None and urls is None:
        raise click.UsageError("give the URLs of the databases, or --state")
    read = read_history(history)
    state = load_state(state_path) if state_path else asyncio.run(_look(urls, rest_seconds))
    _conclude(check(read, state), state, keep, may_be_unknown)


@main.command(name="drive")
@click.argument("history", type=click.Path(path_type=Path))
@click.option("--url", default="http://127.0.0.1:8000/graphql", show_default=True)
@click.option("--operations", default=DEFAULTS.operations, show_default=True)
@click.option("--in-flight", default=DEFAULTS.in_flight, show_default=True)
@click.option("--customers", default=DEFAULTS.customers, show_default=True)
@click.option("--seed", default=DEFAULTS.seed, show_default=True)
@click.option("--timeout", default=5.0, show_default=True, help="Seconds for one attempt.")
@click.option("--staff-email", envvar="BALUARTE_STAFF_EMAIL", help="Who reverses transfers.")
@click.option(
    "--staff-password",
    envvar="BALUARTE_STAFF_PASSWORD",
    help="Best left to BALUARTE_STAFF_PASSWORD.",
)
@click.option("--check", "then_check", is_flag=True, help="Judge the run when it is over.")
@click.option(
    "--save-state", "keep", type=click.Path(path_type=Path), help="Keep the snapshot here."
)
@database_options
def drive_command(
    history: Path,
    url: str,
    operations: int,
    in_flight: int,
    customers: int,
    seed: int,
    timeout: float,
    staff_email: str | None,
    staff_password: str | None,
    then_check: bool,
    keep: Path | None,
    **given: str | None,
) -> None:
    """Move money through the gateway, and write HISTORY (a new file)."""
    urls = _urls(given)
    if then_check and urls is None:
        raise click.UsageError("--check needs the URLs of the databases")
    try:
        config = DriveConfig(
            operations=operations, in_flight=in_flight, customers=customers, seed=seed
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    staff = (staff_email, staff_password) if staff_email and staff_password else None
    client = GraphQLClient(url, staff=staff, timeout=timeout, connections=in_flight)
    run = asyncio.run(_drive(config, client, history, urls))
    click.echo(run.text())
    if then_check:
        state = asyncio.run(_look(urls, 60.0))
        # Without staff nothing is reversed, and that was the caller's choice.
        unknown = () if staff else ("one-reversal",)
        _conclude(check(read_history(history), state), state, keep, unknown)


async def _drive(config: DriveConfig, client: GraphQLClient, path: Path, urls: Urls | None) -> Run:
    async with client:
        if urls is None:
            return await drive(config, client, path)
        async with Auditor(urls) as auditor:
            baseline = await auditor.baseline()
            return await drive(config, client, path, sampler=auditor, baseline=baseline)


async def _look(urls: Urls | None, seconds: float) -> ServerState:
    assert urls is not None  # noqa: S101 - narrowed by both callers
    async with Auditor(urls) as auditor:
        return await auditor.state(timeout=seconds)


def _conclude(
    report: Report, state: ServerState, keep: Path | None, may_be_unknown: tuple[str, ...]
) -> None:
    """Show the report, keep the snapshot, and leave with the exit code of the verdict."""
    if keep is not None:
        save_state(state, keep)
    click.echo(report.text())
    if report.violated:
        sys.exit(EXIT_CODES[Verdict.VIOLATED])
    excused = report.unknown <= frozenset(may_be_unknown)
    sys.exit(EXIT_CODES[Verdict.VALID if excused else Verdict.UNKNOWN])


def run() -> None:
    """Run the command line; a file or server that fails us is exit code 2, without a traceback."""
    try:
        main(prog_name="python -m chaos.history")
    except (HistoryError, AuditError, EnrolError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_CODES[Verdict.UNKNOWN])


if __name__ == "__main__":
    run()
