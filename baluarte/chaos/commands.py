"""`baluarte chaos list|show|plan|run|replay|report`: scenarios, from the file to the verdict."""

import asyncio
import contextlib
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import msgspec

from baluarte.chaos import mechanisms
from baluarte.errors import BaluarteError, Problem
from baluarte.terminal import readable_errors, state_directory
from chaos.record import EXIT_CODES, Run, Verdict

SEED_BITS = 31

WORST_FIRST = (
    Verdict.ERROR,
    Verdict.INTERRUPTED,
    Verdict.ABORTED,
    Verdict.BASELINE_NOT_MET,
    Verdict.DEVIATED,
    Verdict.INCONCLUSIVE,
    Verdict.PROBE_ERROR,
    Verdict.PASSED,
)
"""Of several runs the worst one's exit code is told."""


@click.command(name="list")
def list_() -> None:
    """List the scenarios: how long each takes at most, and the mechanisms that it guards."""
    from chaos import scenarios

    with _readable():
        found = [scenarios.find(name) for name in scenarios.names()]
    width = max(len(one.name) for one in found)
    for one in found:
        click.echo(f"{one.name:<{width}}  {one.seconds:4.0f} s  {one.title}")
        click.echo(f"{'':<{width}}          guards {', '.join(one.guards)}")


@click.command()
@click.argument("scenario")
def show(scenario: str) -> None:
    """Read SCENARIO aloud: its story, its timeline, and what must hold when."""
    from baluarte.chaos import aloud

    with _readable():
        for line in aloud.scenario(_found(scenario)):
            click.echo(line)


@click.command()
@state_directory
@click.argument("scenario")
@click.option("--seed", type=int, default=0, show_default=True)
def plan(state_dir: Path, scenario: str, seed: int) -> None:
    """Show what a run of SCENARIO would do, to whom, on which lease. Nothing is touched."""
    from baluarte.chaos import aloud
    from chaos import roster as rosters
    from chaos.engine.plan import make_plan

    with _readable():
        roster = None
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            roster = rosters.read(state_dir.absolute())
        for line in aloud.plan(make_plan(_found(scenario), seed, roster)):
            click.echo(line)
    where = f"it fits the platform on {state_dir}" if roster else "no platform was asked"
    click.echo(f"\nnothing was touched; {where}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the command line asks for."""

    state: Path
    runs: Path
    up: bool
    seed: int
    off: tuple[str, ...]
    ft: bool
    plain: bool
    in_production: bool
    alerts: bool = True
    files: Mapping[str, str] = field(default_factory=dict)
    """Of scenarios of one's own, by name, as they were written on the command line."""

    def command(self, name: str) -> str:
        """Runs it again."""
        scenario = self.files.get(name, name)
        words = ["baluarte", "chaos", "run", scenario, "--seed", str(self.seed)]
        words += ["--up"] if self.up else []
        words += [] if self.alerts else ["--no-alerts"]
        words += ["--ft", "off"] if not self.ft else [f"--off={one}" for one in self.off]
        return shlex.join(words)


def _off(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for value in values for name in value.split(",") if name)


_run_options: list[Any] = [
    state_directory,
    click.option("--up", is_flag=True, help="Start a platform of its own, and end it afterwards."),
    click.option("--no-alerts", is_flag=True, help="With --up: watch it not, and judge no alert."),
    click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where runs go."),
    click.option("--ci", is_flag=True, help="Plain lines, also on a terminal."),
    click.option("--in-production", is_flag=True, help="The second word, there."),
]


def _with_run_options(command: Any) -> Any:
    for option in reversed(_run_options):
        command = option(command)
    return command


@click.command()
@_with_run_options
@click.argument("scenarios", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every scenario that comes with us.")
@click.option("--seed", type=int, help="Decides every draw. [default: drawn, and shown]")
@click.option(
    "--off",
    multiple=True,
    metavar="MECHANISM",
    callback=_off,
    help="Control arm: without this mechanism, such as gateway.users.retry. Needs --up.",
)
@click.option(
    "--ft",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="off: without any retry, breaker, fallback, hedge, bulkhead, budget and shedding.",
)
def run(
    state_dir: Path,
    scenarios: tuple[str, ...],
    out: Path | None,
    seed: int | None,
    off: tuple[str, ...],
    ft: str,
    *,
    everything: bool,
    up: bool,
    no_alerts: bool,
    ci: bool,
    in_production: bool,
) -> None:
    """Run SCENARIOS (names or files), and tell the verdict.

    Exit codes: 0 passed, 10 deviated, 11 baseline not met, 12 a probe gave no answer, 13 no fault was
    met, 14 aborted, 15 error, 130 interrupted; of several runs the worst. Ctrl-C takes everything back.
    """
    if everything == bool(scenarios):
        raise click.UsageError("name scenarios, or say --all; `baluarte chaos list` lists them")
    with _readable():
        found = {name: _found(name) for name in (_all_names() if everything else scenarios)}
        wanted = _Wanted(
            state=state_dir.absolute(),
            runs=(out or state_dir / "chaos").absolute(),
            up=up,
            seed=secrets.randbits(SEED_BITS) if seed is None else seed,
            off=off,
            ft=ft == "on",
            plain=ci,
            in_production=in_production,
            alerts=not no_alerts,
            files={scenario.name: typed for typed, scenario in found.items()},
        )
        _leave(_carry_out(list(found.values()), wanted))


@click.command()
@_with_run_options
@click.argument("past", metavar="RUN")
def replay(
    state_dir: Path,
    past: str,
    out: Path | None,
    *,
    up: bool,
    no_alerts: bool,
    ci: bool,
    in_production: bool,
) -> None:
    """Run RUN (a folder, an id, or `last`) again: its scenario as it was then, and its seed."""
    from chaos import scenarios

    with _readable():
        runs = (out or state_dir / "chaos").absolute()
        before = _past(runs, past)[0]
        wanted = _Wanted(
            state=state_dir.absolute(),
            runs=runs,
            up=up,
            seed=before.seed,
            off=before.mechanisms_off,
            ft=True,
            plain=ci,
            in_production=in_production,
            alerts=not no_alerts,
        )
        scenario = scenarios.parse(before.source, f"{before.scenario}.yaml")
        _leave(_carry_out([scenario], wanted))


@click.command()
@state_directory
@click.argument("past", metavar="RUN", default="last")
def report(state_dir: Path, past: str) -> None:
    """Summarise RUN (a folder, an id, or `last`), and say where its reports lie."""
    from chaos.report import summary, write_reports

    with _readable():
        run, folder = _past((state_dir / "chaos").absolute(), past)
        click.echo(summary(run))
        click.echo(f"  report: {write_reports(run, folder).html}")


@click.command()
@state_directory
@click.argument("scenario")
@click.option(
    "--chaostoolkit", is_flag=True, required=True, help="As an experiment for `chaos run`."
)
@click.option("--seed", type=int, default=0, show_default=True)
def export(state_dir: Path, scenario: str, seed: int, *, chaostoolkit: bool) -> None:
    """Print SCENARIO in another tool's format: its faults, times, blast radius and leases."""
    from chaos import roster as rosters
    from chaos.engine.plan import make_plan
    from chaos.export import experiment

    del chaostoolkit  # the only one so far
    with _readable():
        found, roster = _found(scenario), None
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            roster = rosters.read(state_dir.absolute())
        actions = make_plan(found, seed, roster).actions
        told = experiment(
            found.name,
            found.title,
            found.story,
            actions,
            state=str(state_dir.absolute()),
            tags=found.guards,
        )
    click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


COMMANDS: Sequence[click.Command] = (list_, show, plan, run, replay, report, export)


def _all_names() -> list[str]:
    from chaos import scenarios

    return scenarios.names()


def _found(name: str) -> Any:
    from chaos import scenarios

    scenario = scenarios.find(name)
    if wrong := mechanisms.problems(scenario.guards):
        raise BaluarteError.of(
            "SCENARIO_INVALID", f"{scenario.name}: guards: {'; '.join(wrong)}", "correct the file"
        )
    return scenario


def _carry_out(scenarios: Sequence[Any], wanted: _Wanted) -> list[Run]:
    off = wanted.off if wanted.ft else tuple(mechanisms.fault_tolerance())
    mechanisms.refuse_unknown(off)
    if off and not wanted.up:
        again = replace(wanted, up=True).command(scenarios[0].name)
        raise BaluarteError.of(
            "CONTROL_ARM_NEEDS_UP",
            "a platform that runs keeps its mechanisms: only one of its own can be without",
            f"type `{again}`",
        )
    from baluarte.chaos import running

    return asyncio.run(running.run_all(scenarios, _task(wanted, off)))


def _task(wanted: _Wanted, off: tuple[str, ...]) -> Any:
    from baluarte.chaos.running import Task

    return Task(
        state=wanted.state,
        runs=wanted.runs,
        up=wanted.up,
        seed=wanted.seed,
        off=off,
        plain=wanted.plain,
        in_production=wanted.in_production,
        alerts=wanted.alerts,
        command=wanted.command,
    )


def _past(runs: Path, past: str) -> tuple[Run, Path]:
    from chaos.engine import folder as folders

    there = folders.past(runs)
    folder = Path(past) if (Path(past) / folders.RUN).is_file() else runs / past
    if past == "last" and there:
        folder = there[-1]
    try:
        return folders.read(folder), folder
    except (OSError, msgspec.MsgspecError):
        newest = ", ".join(path.name for path in there[-3:]) or "none yet"
        raise BaluarteError.of(
            "RUN_UNKNOWN", f"there is no run {past!r} in {runs}", f"the newest: {newest}"
        ) from None


def _leave(runs: Sequence[Run]) -> None:
    worst = min((run.verdict for run in runs), key=WORST_FIRST.index)
    sys.exit(EXIT_CODES[worst])


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """What is wrong with a scenario, or in the way of a run, as problems with their way out."""
    from chaos.engine.folder import BusyError
    from chaos.engine.plan import PlanError
    from chaos.scenarios import ScenarioError

    with readable_errors():
        try:
            yield
        except ScenarioError as error:
            raise BaluarteError(
                *(
                    Problem("SCENARIO_INVALID", str(problem), "docs/chaos.md shows the language")
                    for problem in error.problems
                )
            ) from error
        except LookupError as error:
            raise BaluarteError.of(
                "SCENARIO_UNKNOWN", str(error.args[0]), "`baluarte chaos list` lists them"
            ) from error
        except PlanError as error:
            way = "give the platform what it lacks, or run with --up"
            raise BaluarteError(
                *(Problem("SCENARIO_DOES_NOT_FIT", one, way) for one in error.problems)
            ) from error
        except BusyError as error:
            raise BaluarteError.of("CHAOS_BUSY", str(error), "wait for it, or end it") from error
