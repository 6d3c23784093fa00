"""Offer a load to a platform, as the chaos engine does.

    python -m loadtests run --roster .baluarte/chaos.json --out run --seconds 60 --rate 20 --users 20
    python -m loadtests judge run --p95 0.5 --error-share 0.01
    python -m loadtests list

Exit codes: 0 done · 1 the load itself failed · 2 usage · 3 a threshold was missed · 4 users were not let in.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from chaos.history.events import HistoryError
from chaos.history.snapshot import AuditError
from chaos.roster import Roster
from loadtests.enrol import EnrolError
from loadtests.journeys import JOURNEYS
from loadtests.limits import ENROL_SECONDS
from loadtests.load import LoadConfig
from loadtests.mix import weights
from loadtests.reader import baseline, urls_of
from loadtests.samples import read_samples
from loadtests.shapes import SHAPES
from loadtests.thresholds import MISSED, Thresholds

FAILED: Final = 1
USAGE: Final = 2
NOT_ENROLLED: Final = 4


@click.group()
def main() -> None:
    """The load of chaos scenarios."""


@main.command(name="run")
@click.option("--roster", type=click.Path(path_type=Path), help="chaos.json of a platform.")
@click.option("--host", help="Base URL of a gateway, instead of a roster.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of records.")
@click.option("--seconds", type=float, default=float("inf"), help="How long; else until told.")
@click.option("--journeys", default="overview=4,pay=3", show_default=True)
@click.option("--rate", default=10.0, show_default=True, help="Journeys a second that begin.")
@click.option("--users", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--shape", type=click.Choice(sorted(SHAPES)), default="constant", show_default=True)
@click.option("--cohorts", default="a=50,b=50", show_default=True)
@click.option(
    "--enrol-seconds", default=ENROL_SECONDS, show_default=True, help="Patience with each user."
)
@click.option("--start", type=float, help="Monotonic instant that samples count from; else now.")
@click.option("--stop-file", type=click.Path(path_type=Path), help="Ends the run when it is there.")
def run_command(
    roster: Path | None,
    host: str | None,
    out: Path,
    start: float | None,
    stop_file: Path | None,
    journeys: str,
    cohorts: str,
    **given: Any,
) -> None:
    """Offer a load and record what clients were served (samples.jsonl, history.jsonl in --out)."""
    if (roster is None) == (host is None):
        raise click.UsageError("give --roster or --host, one of them")
    read = _roster(roster) if roster else None
    try:
        config = LoadConfig(
            gateway=read.gateway if read else str(host),
            journeys=weights(journeys, JOURNEYS),
            shares=weights(cohorts),
            staff=_staff(read),
            **given,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    # Locust would replace the standard library's sockets and threads as it is imported. Nothing here needs
    # that, and asyncio in the auditor's thread needs the real ones.
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    from loadtests.run import Files, UsersFailedError, quiet, run

    quiet()
    urls = urls_of(read.databases) if read else None
    try:
        run(config, Files(out, stop_file), _say, start=start, urls=urls, baseline=baseline(urls))
    except EnrolError as error:
        _leave(f"the platform did not let the users in: {error}", NOT_ENROLLED)
    except AuditError as error:
        _leave(f"the databases of the roster do not answer: {error}", NOT_ENROLLED)
    except FileExistsError as error:
        _leave(f"{error.filename} is of another run; name a new folder", USAGE)
    except HistoryError as error:
        _leave(str(error), USAGE)
    except UsersFailedError as error:
        _leave(str(error), FAILED)


@main.command(name="judge")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--p95", default=1.0, show_default=True, help="Seconds, from the intended start.")
@click.option("--error-share", default=0.01, show_default=True, help="Between 0 and 1.")
def judge_command(folder: Path, p95: float, error_share: float) -> None:
    """Hold a run's samples against thresholds; exit code 3 when one was missed."""
    try:
        thresholds = Thresholds(p95, error_share)
        samples = read_samples(folder / "samples.jsonl")
    except (ValueError, OSError, msgspec.MsgspecError) as error:
        raise click.UsageError(str(error)) from error
    missed = thresholds.judge(samples)
    for sentence in missed:
        click.echo(sentence)
    if missed:
        sys.exit(MISSED)
    click.echo(f"{len(samples)} answers within the thresholds")


@main.command(name="list")
def list_command() -> None:
    """Journeys and shapes."""
    for title, found in (("journeys", JOURNEYS), ("shapes", SHAPES)):
        click.echo(title)
        for name, entry in found.items():
            click.echo(f"  {name:<14} {entry.text}")


def _roster(path: Path) -> Roster:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Roster)
    except (OSError, msgspec.MsgspecError) as error:
        raise click.UsageError(f"{path} is no roster: {error}") from error


def _staff(roster: Roster | None) -> tuple[str, str] | None:
    """Who may reverse: of the roster, else of the environment."""
    if roster is not None and roster.staff is not None:
        return roster.staff.email, roster.staff.password
    email, password = (os.environ.get(f"BALUARTE_STAFF_{name}") for name in ("EMAIL", "PASSWORD"))
    return (email, password) if email and password else None


def _say(line: dict[str, Any]) -> None:
    """One JSON line on standard output, at once."""
    click.echo(msgspec.json.encode(line).decode())


def _leave(reason: str, code: int) -> None:
    click.echo(f"error: {reason}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main(prog_name="python -m loadtests")
