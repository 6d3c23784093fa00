"""The driver: many clients moving money at once, writing down what they asked and were told.

    run = await drive(DriveConfig(operations=2_000), client, "run.jsonl", sampler=auditor)
    report = check(read_history(run.path), await snapshot(urls))

A client whose attempt ends without a definite answer sends the same key again, as a new operation
of the history, with full jitter and a bounded number of times; what is open at the end is looked up
by its key. The driver keeps no request of its own from the history and corrects none of it.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaos.history.book import Book, FullJitter
from chaos.history.case import Kind
from chaos.history.client import Client, Command, Outcome, Party, SampleError, Sampler, Sleep
from chaos.history.events import (
    Answer,
    Baseline,
    HistoryWriter,
    Op,
    Request,
    clip,
    header,
)
from chaos.history.workload import Mix, Workload


@dataclass(frozen=True, slots=True)
class DriveConfig:
    """How much to send, and how hard to insist.

    Attributes:
        operations: money operations after the funding, each with a key of its own.
        in_flight: clients, each with one operation open at a time.
        customers: accounts that the money moves among. Few make hot accounts.
        seed: of kinds, parties, amounts and jitter.
        funds: each customer's first deposit, minor units.
        max_amount: the largest single amount; near `funds`, some transfers fail for want of funds.
        repeat: share of answered operations whose key is sent once more, as a double click would.
        believe: share of operations whose client goes away at a refusal that is worth a retry, so
            that check 5 can hold the platform to its word that nothing happened.
        max_attempts: times that one key is sent while it has no definite outcome. With the backoff
            some 20 s, which outlasts the restart of a service and the recovery of a database.
        backoff_base, backoff_cap: full jitter between attempts, seconds.
        resolve_seconds: how long the open keys are looked up after the last operation.
        read_every: seconds between two samples of all accounts.
    """

    operations: int = 2_000
    in_flight: int = 64
    customers: int = 16
    seed: int = 0
    funds: int = 100_000
    max_amount: int = 30_000
    currency: str = "BRL"
    mix: Mix = field(default_factory=Mix)
    repeat: float = 0.05
    believe: float = 0.25
    max_attempts: int = 20
    backoff_base: float = 0.05
    backoff_cap: float = 2.0
    resolve_seconds: float = 60.0
    read_every: float = 0.05

    def __post_init__(self) -> None:
        positive = ("operations", "in_flight", "funds", "max_amount", "max_attempts", "read_every")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")
        if self.customers < 2:
            raise ValueError("customers must be at least 2: transfers need a receiver")
        for name in ("repeat", "believe"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1")
        _ = self.backoff

    @property
    def backoff(self) -> FullJitter:
        """The pauses between attempts. Raises ValueError."""
        return FullJitter(self.backoff_base, self.backoff_cap)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: `settled` operations of `total` have their last word so far."""

    settled: int
    total: int


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. `attempts` counts sends by how they ended; `unresolved` keys never told."""

    path: Path
    operations: int
    attempts: dict[Kind, int]
    reads: int
    unresolved: int
    seconds: float

    def text(self) -> str:
        """The run in a line for people."""
        told = ", ".join(f"{self.attempts[kind]:,} {kind}" for kind in Kind)
        rate = self.operations / self.seconds if self.seconds else 0.0
        return (
            f"{self.operations:,} operations in {self.seconds:.1f} s ({rate:.0f}/s);"
            f" attempts: {told}; {self.reads:,} reads; {self.unresolved:,} unresolved"
        )


async def drive(
    config: DriveConfig,
    client: Client,
    path: Path | str,
    *,
    sampler: Sampler | None = None,
    baseline: Baseline | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    sleep: Sleep = asyncio.sleep,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Run:
    """Enrol customers, fund them, run the workload, and look up what stayed open.

    Args:
        path: where the history goes; must not exist.
        sampler: reads all accounts during the run; without one check 1 stays unknown.
        baseline: when the run began on the databases' clocks; older rows are then no client's of
        it. on_progress: called after each operation; the place to kill something half-way. sleep:
        waits between attempts and reads; a test hands in its own.

    Raises:
        HistoryError: the history cannot be written.
    """
    parties = await client.enrol(config.customers)
    run_id = uuid.uuid4().hex[:12]
    workload = Workload(
        parties,
        run=run_id,
        seed=config.seed,
        mix=config.mix,
        max_amount=config.max_amount,
        currency=config.currency,
    )
    head = header(
        run=run_id,
        seed=config.seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        baseline=baseline,
    )
    with HistoryWriter(path, head, clock=clock) as writer:
        driver = _Driver(config, client, workload, writer, on_progress, sleep, clock)
        began = clock()
        reading = asyncio.create_task(driver.read(sampler)) if sampler else None
        try:
            await driver.run()
        finally:
            if reading is not None:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading
    seconds = (clock() - began) / 1e9
    return Run(
        Path(path), driver.settled, driver.attempts, driver.reads, len(driver.book.open), seconds
    )


class _Driver:
    """One run: its writer, its counts, and the keys whose fate is open."""

    def __init__(
        self,
        config: DriveConfig,
        client: Client,
        workload: Workload,
        writer: HistoryWriter,
        on_progress: Callable[[Progress], None] | None,
        sleep: Sleep,
        clock: Callable[[], int],
    ) -> None:
        self._config = config
        self._client = client
        self._workload = workload
        self._writer = writer
        self._on_progress = on_progress
        self._sleep = sleep
        self._clock = clock
        # Its own generator: how often something is retried must not change what is sent.
        self._jitter = random.Random(~config.seed)  # noqa: S311 - repeatable, not secret
        self.settled = 0
        self.attempts = dict.fromkeys(Kind, 0)
        self.reads = 0
        self.book = Book(writer)

    async def run(self) -> None:
        """Fund, work, resolve."""
        await self._all(self._workload.funding(self._config.funds))
        await self._all(self._workload.commands(self._config.operations))
        await self._resolve()

    async def read(self, sampler: Sampler) -> None:
        """Sample all accounts until cancelled. The reader is a process of its own."""
        process = self._config.in_flight
        while True:
            self._writer.invoke(process, Op.READ, "", Request())
            try:
                sample = await sampler.sample()
            except SampleError as error:
                self._writer.info(process, Op.READ, "", Answer(detail=clip(str(error))))
            else:
                self._writer.ok(process, Op.READ, "", Answer(sample=sample))
                self.reads += 1
            await self._sleep(self._config.read_every)

    async def _all(self, commands: Iterator[Command]) -> None:
        async with asyncio.TaskGroup() as group:
            for process in range(self._config.in_flight):
                group.create_task(self._work(process, commands))

    async def _work(self, process: int, commands: Iterator[Command]) -> None:
        for command in commands:
            await self._insist(process, command)
            self.settled += 1
            if self._on_progress is not None:
                total = self._config.operations + self._config.customers
                self._on_progress(Progress(self.settled, total))

    async def _insist(self, process: int, command: Command) -> None:
        """Send a command until its outcome is definite or the attempts are used up."""
        # Decided once: a client that may leave at every refusal would leave during any outage.
        trusting = self._jitter.random() < self._config.believe
        unknown = False
        for attempt in range(self._config.max_attempts):
            outcome = await self._attempt(process, command)
            unknown = unknown or outcome.kind is Kind.INFO
            # A refusal says nothing of an earlier attempt whose outcome is unknown.
            if not outcome.retry or (trusting and not unknown):
                break
            await self._sleep(self._pause(attempt, outcome.retry_after))
        if not outcome.retry and self._jitter.random() < self._config.repeat:
            await self._attempt(process, command)

    async def _attempt(self, process: int, command: Command) -> Outcome:
        self.book.ask(process, command.op, command.key, command.request)
        outcome = await self._client.perform(command)
        self.book.told(process, command.op, command.key, command.party, outcome)
        self.attempts[outcome.kind] += 1
        if outcome.answer.transfer is not None:
            self._workload.completed(command, outcome.answer.transfer, outcome.answer.status)
        return outcome

    async def _resolve(self) -> None:
        """Look up every open key until it is final, or until the time for that is over."""
        deadline = self._clock() + int(self._config.resolve_seconds * 1e9)
        for round_number in range(self._config.max_attempts):
            asked = self.book.to_look_up()
            if not asked or self._clock() >= deadline:
                return
            if round_number:
                await self._sleep(self._pause(round_number, None))
            keys = iter(asked)
            async with asyncio.TaskGroup() as group:
                for process in range(self._config.in_flight):
                    group.create_task(self._look_up(process, keys))

    async def _look_up(self, process: int, keys: Iterator[tuple[str, Party]]) -> None:
        for key, party in keys:
            self.book.ask(process, Op.FIND, key, Request(user=party.user))
            outcome = await self._client.find(party, key)
            self.book.told(process, Op.FIND, key, party, outcome)

    def _pause(self, attempt: int, asked: float | None) -> float:
        return self._config.backoff.pause(attempt, asked, self._jitter)
