"""A kill run: customers move money through the gateway while a part is killed; then the money is checked."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.history.auditor import Auditor
from chaos.history.checker import Report, check
from chaos.history.driver import DriveConfig, Progress, Run, drive
from chaos.history.events import History, Invoke, Op, read_history
from chaos.history.graphql import GraphQLClient
from tests.kill.platform import STAFF, Platform, platform

REST_SECONDS = 120.0
"""Longest wait for the platform to come to rest after the last operation."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is killed, when, and under which load.

    Attributes:
        victim: a part of the platform, or None.
        kills: shares of the operations after which the victim is killed.
        modules: alternative composition roots by process (mutants).
        before: done to the platform before the first operation.
    """

    victim: str | None
    rabbitmq: bool = False
    operations: int = 2_000
    in_flight: int = 64
    kills: Sequence[float] = (0.3, 0.65)
    seed: int = 1
    modules: Mapping[str, str] | None = None
    environ: Mapping[str, str] | None = None
    before: Callable[[Platform], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run and the verdict on it."""

    run: Run
    report: Report
    kills: int
    transfers: int
    """Transfers that clients asked for, each with a key of its own."""

    def figures(self) -> dict[str, Any]:
        """What the docs quote."""
        attempts = {f"attempts {kind}": count for kind, count in self.run.attempts.items()}
        return {
            "operations": self.run.operations,
            "transfers": self.transfers,
            **attempts,
            "kills": self.kills,
            "operations/s": round(self.run.operations / self.run.seconds),
            "checks": len(self.report.results),
        }


async def campaign(plan: Plan) -> Result:
    """Bring a platform up, drive it, kill, wait for rest, check."""
    async with platform(
        rabbitmq=plan.rabbitmq, modules=plan.modules, environ=plan.environ
    ) as running:
        return await run_on(running, plan)


async def run_on(running: Platform, plan: Plan) -> Result:
    """The campaign on a platform that is up."""
    config = DriveConfig(operations=plan.operations, in_flight=plan.in_flight, seed=plan.seed)
    if plan.before is not None:
        await plan.before(running)
    killer = _Killer(running, plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        async with (
            Auditor(await running.for_an_auditor()) as auditor,
            GraphQLClient(f"{running.url}/graphql", staff=STAFF) as client,
        ):
            run = await drive(
                config,
                client,
                path,
                sampler=auditor,
                baseline=await auditor.baseline(),
                on_progress=killer.progress,
            )
            await killer.finished()
            await running.ready()
            state = await auditor.state(timeout=REST_SECONDS)
        history = await asyncio.to_thread(read_history, path)
        report = await asyncio.to_thread(check, history, state)
    return Result(run, report, killer.kills, transfers_of(history))


def transfers_of(history: History) -> int:
    """How many transfers were asked for; retries of one are one."""
    asked = (event for event in history.events if isinstance(event, Invoke))
    return len({event.key for event in asked if event.op is Op.TRANSFER})


class _Killer:
    """Kills the victim when the run has come as far as the plan says."""

    def __init__(self, running: Platform, plan: Plan) -> None:
        self._running = running
        self._plan = plan
        self._due = list(plan.kills) if plan.victim else []
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()
        self.kills = 0

    def progress(self, progress: Progress) -> None:
        while self._due and progress.settled >= self._due[0] * progress.total:
            self._due.pop(0)
            self._tasks.append(asyncio.create_task(self._kill()))

    async def _kill(self) -> None:
        assert self._plan.victim is not None
        async with self._turn:
            await self._running.ready()  # a kill of what is down already would prove nothing
            await self._running.kill(self._plan.victim)
            self.kills += 1

    async def finished(self) -> None:
        """Raise when a kill did not happen: a run without its fault proves nothing."""
        await asyncio.gather(*self._tasks)
        planned = len(self._plan.kills) if self._plan.victim else 0
        if self.kills != planned:
            raise AssertionError(f"{self.kills} of {planned} kills happened")
