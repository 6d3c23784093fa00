"""A run on a real platform: from a roster to a record in a folder."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaos import roster as rosters
from chaos.engine import folder as folders
from chaos.engine.books import MoneyBooks
from chaos.engine.load import LoadProcess, command
from chaos.engine.owners import appointed
from chaos.engine.pages import ProcessPages
from chaos.engine.plan import make_plan
from chaos.engine.ports import Nobody, Observer, World
from chaos.engine.run import Engine
from chaos.engine.slack import Hook
from chaos.engine.watcher import Watcher
from chaos.engine.wire import Wire, wire
from chaos.history import Urls
from chaos.owners import crew
from chaos.record import Run, Verdict
from chaos.roster import Roster
from chaos.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A run that is wanted.

    Attributes:
        state: the platform's state directory, with its roster.
        runs: where run folders go.
        mechanisms_off: of the control arm, for the record.
        command: runs it again, for the record.
        platform: what is tested, for the record.
        commit: of the source, for the record.
        hook: the stand-in for Slack to which the platform's Alertmanager sends, if it does.
    """

    scenario: Scenario
    seed: int
    state: Path
    runs: Path
    mechanisms_off: tuple[str, ...] = ()
    command: str = ""
    platform: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    hook: Hook | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A run that is over, and where it lies."""

    run: Run
    folder: Path


async def conduct(order: Order, observer: Observer | None = None) -> Done:
    """Carry out one run. SIGINT and SIGTERM end it with everything taken back.

    Raises:
        OSError, msgspec.MsgspecError: there is no roster, or none that can be read.
        PlanError: the scenario does not fit the platform.
        BusyError: another run works on it.
    """
    roster = rosters.read(order.state)
    plan = make_plan(order.scenario, order.seed, roster)
    with folders.alone(folders.home(order.state)):
        run_id = folders.new_id(order.scenario.name)
        folder = folders.make(order.runs, run_id)
        base = head(order, run_id)
        folders.write(base, folder)  # also a run whose engine is killed leaves a record
        start = time.monotonic()
        load = LoadProcess(command(plan, order.state / rosters.FILE, folder, start), folder)
        books = _books(roster)
        try:
            async with crew(roster) as owners, wire() as lines:
                world = World(
                    owners=dict(appointed(owners)),
                    load=load,
                    pages=ProcessPages(lines, roster),
                    books=books,
                    alerts=_alerts(lines, roster, order.hook, start),
                    history=folder / "history.jsonl",
                    observer=observer or Nobody(),
                )
                engine = Engine(plan, world, base, time.monotonic, start)
                with _signals(engine):
                    run = await engine.run()
        finally:
            load.kill()
            load.close()
            if books is not None:
                await books.close()
        folders.write(run, folder)
        return Done(run, folder)


def head(order: Order, run_id: str) -> Run:
    """The record before anything has happened; if it stays so, the engine was killed."""
    scenario = order.scenario
    return Run(
        id=run_id,
        scenario=scenario.name,
        title=scenario.title,
        story=scenario.story,
        source=scenario.source,
        guards=scenario.guards,
        mechanisms_off=order.mechanisms_off,
        seed=order.seed,
        commit=order.commit,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=order.command,
        platform=order.platform,
        verdict=Verdict.ERROR,
        reason="the engine was killed: nobody judged this run",
    )


def _alerts(lines: Wire, roster: Roster, hook: Hook | None, start: float) -> Watcher | None:
    if roster.monitoring is None:
        return None
    return Watcher(lines, roster.monitoring, hook, start)


def _books(roster: Roster) -> MoneyBooks | None:
    if not {"ledger", "transactions", "notifications"} <= set(roster.databases):
        return None
    urls = {name: roster.databases[name] for name in ("ledger", "transactions", "notifications")}
    return MoneyBooks(Urls(**urls))


@contextlib.contextmanager
def _signals(engine: Engine) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the run in good order."""
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGINT, signal.SIGTERM)
    for one in wanted:
        loop.add_signal_handler(one, engine.stop, Verdict.INTERRUPTED, f"{one.name} was sent")
    try:
        yield
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)
