"""Runs of several scenarios, one after the other, on the platforms that they need."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from baluarte.chaos import platforms
from baluarte.chaos.watch import watch
from baluarte.errors import BaluarteError
from chaos.engine.conduct import Done, Order, conduct
from chaos.record import Run, Verdict
from chaos.report import summary, write_reports
from chaos.report.campaign import write_campaign
from chaos.scenarios.scenario import Platform, Scenario

CAMPAIGN = "latest"
"""Folder, beside those of the runs, of the page about several; the next such run takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How scenarios are to be run.

    Attributes:
        state: of the platform that runs; unused with `up`.
        runs: where run folders go.
        up: on platforms of their own.
        off: mechanisms that are off.
        alerts: with `up`: whether the platform is watched, where this machine can. A control arm never is:
            its mechanism alone must turn it red.
        command: the command that runs a scenario of that name again.
    """

    state: Path
    runs: Path
    up: bool
    seed: int
    off: tuple[str, ...]
    plain: bool
    in_production: bool
    alerts: bool
    command: Callable[[str], str]


async def run_all(scenarios: Sequence[Scenario], task: Task) -> list[Run]:
    """Run them all, and show each verdict. Ctrl-C ends the rest as well.

    Raises `BaluarteError` when there is no platform for one.
    """
    done: list[Done] = []
    for wanted, members in platforms.groups(scenarios):
        async with _platform(wanted, members[0].name, task) as platform:
            for scenario in members:
                done.append(await _one(scenario, platform, task))
                if done[-1].run.verdict is Verdict.INTERRUPTED:
                    break
        if done[-1].run.verdict is Verdict.INTERRUPTED:
            break
    if len(scenarios) > 1:
        _table([one.run for one in done])
        folder = task.runs / CAMPAIGN
        write_campaign([(one.run, one.folder) for one in done], folder)
        click.echo(f"\nall of them: {folder / 'index.html'}")
    return [one.run for one in done]


@contextlib.asynccontextmanager
async def _platform(wanted: Platform, name: str, task: Task) -> AsyncIterator[platforms.Running]:
    if not task.up:
        yield platforms.running(task.state, name, in_production=task.in_production)
        return
    wants = task.alerts and not task.off
    alerts = wants and platforms.can_watch()
    if wants and not alerts:
        click.echo("no alert is judged: Prometheus or Alertmanager is not installed")
    click.echo(f"starting a platform of its own{', and a watch over it' if alerts else ''} …")
    async with platforms.own(wanted, task.off, alerts=alerts) as platform:
        yield platform


async def _one(scenario: Scenario, platform: platforms.Running, task: Task) -> Done:
    order = Order(
        scenario=scenario,
        seed=task.seed,
        state=platform.state,
        runs=task.runs,
        mechanisms_off=task.off,
        command=task.command(scenario.name),
        platform=platforms.described(platform.roster, scenario.platform),
        commit=platforms.commit(),
        hook=platform.hook,
    )
    click.echo(f"{scenario.title} ({scenario.name}, seed {task.seed})")
    with watch(scenario.title, plain=task.plain) as observer:
        done = await conduct(order, observer)
    _tell(done)
    return done


def _tell(done: Done) -> None:
    try:
        reports = write_reports(done.run, done.folder)
    except OSError as error:
        raise BaluarteError.of(
            "REPORT_NOT_WRITTEN",
            f"the report could not be written to {done.folder}: {error}",
            "free some room, then `baluarte chaos report last`",
        ) from error
    click.echo("")
    click.echo(summary(done.run))
    click.echo(f"  report: {reports.html}")


def _table(runs: Sequence[Run]) -> None:
    width = max(len(run.scenario) for run in runs)
    click.echo("")
    for run in runs:
        click.echo(f"{run.scenario:<{width}}  {run.verdict:<17}  {run.reason}")
