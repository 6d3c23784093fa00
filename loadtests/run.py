"""One run for the engine: enrol, say that all is ready, offer the load, stop, look up what stayed open."""

import logging
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import LocalRunner

from chaos.history.events import Baseline
from chaos.history.snapshot import Urls
from chaos.record import Outcome, Sample
from loadtests.customer import Customer, Lobby, to_locust
from loadtests.limits import CLIENT_SECONDS, DRAIN_SECONDS
from loadtests.load import BACKLOG_FULL, NOT_SERVED, Load, LoadConfig
from loadtests.money import resolve
from loadtests.pacing import arrivals, pace
from loadtests.reader import Reader
from loadtests.records import records
from loadtests.shapes import SHAPES

LOOK_SECONDS: Final = 0.2
"""Between two looks for the stop file, and for users who are in."""

Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run's records go, and what ends it early.

    Attributes:
        out: a folder without records of another run.
        stop: the run ends when this file is there.
    """

    out: Path
    stop: Path | None = None


class UsersFailedError(Exception):
    """Journeys raised what they should not: the load itself is broken, and its figures say nothing."""


def run(
    config: LoadConfig,
    files: Files,
    say: Say,
    *,
    start: float | None = None,
    urls: Urls | None = None,
    baseline: Baseline | None = None,
) -> None:
    """Offer the load until it is over, SIGTERM comes, or the stop file is there.

    Args:
        say: told `{"ready": true, …}` once users are enrolled, and `{"done": true, …}` at the end.
        start: instant of the monotonic clock that samples count from; unless told, now.
        urls: databases that the auditor samples meanwhile.
        baseline: when the run begins, on their clocks.

    Raises:
        EnrolError: the platform did not let the users in.
        UsersFailedError: the load is broken.
        HistoryError, OSError: a record cannot be written.
    """
    stopping = Event()
    gevent.signal_handler(signal.SIGTERM, stopping.set)
    gevent.signal_handler(signal.SIGINT, stopping.set)
    with (
        records(files.out, config.seed, baseline) as written,
        Reader(urls, written.history),
    ):
        environment = Environment(host=config.gateway, catch_exceptions=True)
        tally = Tally(to_locust(environment.events.request, config.endpoint))
        load = Load.of(config, written, tally.report, start=start)
        _Run(load, environment, tally, say, stopping, files.stop).go()


class Tally:
    """Counts samples on their way to Locust."""

    def __init__(self, onward: Callable[[Sample], None]) -> None:
        self._onward = onward
        self.outcomes: Counter[Outcome] = Counter()

    def report(self, sample: Sample) -> None:
        """Count one."""
        self.outcomes[sample.outcome] += 1
        self._onward(sample)


class _Run:
    """The phases of one run."""

    def __init__(
        self,
        load: Load,
        environment: Environment,
        tally: Tally,
        say: Say,
        stopping: Event,
        stop_file: Path | None,
    ) -> None:
        self._load = load
        self._tally = tally
        self._say = say
        self._stopping = stopping
        self._stop_file = stop_file
        self._lobby = Lobby(load)
        environment.user_classes = [type("Person", (Customer,), {"lobby": self._lobby})]
        self._runner: LocalRunner = environment.create_local_runner()

    def go(self) -> None:
        watching = gevent.spawn(self._watch)
        try:
            self._enrol()
            began = time.monotonic(), time.process_time()
            if self._lobby.complete and not self._stopping.is_set():
                self._offer()
            self._drain()
            unresolved = resolve(self._load)
            self._say(self._summary(unresolved, *began))
        finally:
            watching.kill()
            self._runner.quit()
        if self._runner.exceptions:
            errors = [str(found["msg"]) for found in self._runner.exceptions.values()]
            raise UsersFailedError(f"journeys failed: {'; '.join(sorted(errors))}")

    def _watch(self) -> None:
        """Look for the stop file."""
        while self._stop_file is not None and not self._stopping.is_set():
            if self._stop_file.exists():
                self._stopping.set()
            gevent.sleep(LOOK_SECONDS)

    def _enrol(self) -> None:
        """Spawn the users and wait until all are in. Raises EnrolError."""
        users = self._load.config.users
        self._runner.start(users, spawn_rate=users)
        while not self._lobby.complete and not self._stopping.is_set():
            if self._lobby.failure is not None:
                raise self._lobby.failure
            if self._runner.exceptions:
                return
            gevent.sleep(LOOK_SECONDS)

    def _offer(self) -> None:
        """Offer every arrival at its time."""
        load, config = self._load, self._load.config
        begin = self._lobby.begin = max(0.0, load.now())
        self._say(
            {
                "ready": True,
                "begins": round(begin, 3),
                "users": config.users,
                "rate": config.rate,
                "journeys": dict(config.journeys),
            }
        )
        coming = arrivals(
            SHAPES[config.shape], config.rate, config.seconds, config.journeys, config.seed
        )
        load.lateness = pace(
            coming,
            load.backlog,
            now=lambda: load.now() - begin,
            pause=self._stopping.wait,
            refused=lambda arrival: load.not_sent(arrival, begin, BACKLOG_FULL),
        )
        if config.seconds < float("inf"):
            self._stopping.wait(max(0.0, begin + config.seconds - load.now()))

    def _drain(self) -> None:
        """Let users end what they have begun; tell of the arrivals that nobody came to."""
        load, users = self._load, self._runner.user_greenlets
        load.backlog.close()
        users.join(DRAIN_SECONDS)
        load.ending.set()
        for arrival in load.backlog.abandon():
            load.not_sent(arrival, self._lobby.begin, NOT_SERVED)
        users.join(CLIENT_SECONDS * 2)

    def _summary(self, unresolved: int, wall: float, cpu: float) -> dict[str, Any]:
        load = self._load
        return {
            "done": True,
            "seconds": round(time.monotonic() - wall, 3),
            "journeys": load.begun,
            "notSent": load.refused,
            "outcomes": {str(name): count for name, count in sorted(self._tally.outcomes.items())},
            "unresolved": unresolved,
            "latenessSeconds": round(load.lateness, 4),
            "cpuShare": round((time.process_time() - cpu) / (time.monotonic() - wall), 3),
        }


def quiet() -> None:
    """Leave Locust's log to its warnings: what the engine reads is on standard output."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
