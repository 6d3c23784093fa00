"""A load while it runs: what is wanted, who takes part, and what is known so far."""

import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gevent.event import Event

from chaos.history.book import Book, FullJitter
from chaos.history.commands import Commands
from chaos.history.events import Request
from chaos.record import Outcome, Sample
from loadtests.limits import BACKOFF_SECONDS, ENROL_SECONDS, MAX_USERS
from loadtests.mix import cohorts
from loadtests.pacing import Arrival, Backlog, Signal, backlog_bound
from loadtests.people import Person
from loadtests.records import Records
from loadtests.samples import Samples
from loadtests.shapes import SHAPES

CURRENCY: Final = "BRL"
MAX_TARGETS: Final = 256
"""Completed transfers remembered for reversal: recent ones are likelier to be disturbed."""
BACKLOG_FULL: Final = "BACKLOG_FULL"
NOT_SERVED: Final = "NOT_SERVED"

Report = Callable[[Sample], None]
"""Told of each sample, beside the file: Locust's statistics."""


@dataclass(frozen=True, slots=True)
class LoadConfig:
    """What is wanted.

    Attributes:
        gateway: base URL.
        journeys: weights by name.
        rate: journeys a second that begin, on average.
        users: who can be in a journey at the same time.
        seconds: how long; infinity is until told to stop.
        shape: name of a shape.
        seed: of arrivals, choices and jitter.
        shares: of the cohorts.
        staff: e-mail address and password of somebody who may reverse.
        enrol_seconds: how long the platform has to let each user in.
    """

    gateway: str
    journeys: Mapping[str, float]
    rate: float
    users: int
    seconds: float = float("inf")
    shape: str = "constant"
    seed: int = 0
    shares: Mapping[str, float] = field(default_factory=lambda: {"a": 50.0, "b": 50.0})
    staff: tuple[str, str] | None = field(default=None, repr=False)
    enrol_seconds: float = ENROL_SECONDS

    def __post_init__(self) -> None:
        if not 0 < self.rate < float("inf"):
            raise ValueError("the rate must be positive")
        if self.seconds <= 0 or self.enrol_seconds <= 0:
            raise ValueError("seconds must be positive")
        if not 2 <= self.users <= MAX_USERS:
            raise ValueError(f"users must be between 2 and {MAX_USERS}: payments need a receiver")
        if self.shape not in SHAPES:
            raise ValueError(f"there is no shape {self.shape!r}; choose from {', '.join(SHAPES)}")
        if "reverse" in self.journeys and self.staff is None:
            raise ValueError("`reverse` needs staff: a roster that names them, or the environment")

    @property
    def endpoint(self) -> str:
        """The GraphQL URL."""
        return f"{self.gateway.rstrip('/')}/graphql"


@dataclass(frozen=True, slots=True)
class Target:
    """A completed transfer that staff may take back."""

    transfer: str
    request: Request


@dataclass
class Load:
    """What the users of one run share.

    Attributes:
        origin: instant of the monotonic clock that samples count from.
        ending: set when retries and look-ups are to stop.
        network: two middle parts of the users' addresses.
        lateness: seconds that the worst arrival was offered late.
    """

    config: LoadConfig
    book: Book
    samples: Samples
    commands: Commands
    origin: float
    report: Report
    network: int
    clock: Callable[[], float] = time.monotonic
    ending: Signal = field(default_factory=Event)
    people: list[Person] = field(default_factory=list)
    staff: Person | None = None
    targets: deque[Target] = field(default_factory=lambda: deque(maxlen=MAX_TARGETS))
    lateness: float = 0.0
    begun: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        config = self.config
        self.backlog = Backlog(backlog_bound(config.rate), Event())
        self.backoff = FullJitter(*BACKOFF_SECONDS)
        self.jitter = random.Random(f"jitter {config.seed}")  # noqa: S311 - repeatable, not secret
        self.cohorts = cohorts(config.shares, config.users, config.seed)

    @classmethod
    def of(
        cls, config: LoadConfig, written: Records, report: Report, *, start: float | None = None
    ) -> "Load":
        """A load that is about to begin; `start` is the origin, unless it is now."""
        return cls(
            config,
            Book(written.history),
            written.samples,
            Commands(written.run, CURRENCY),
            time.monotonic() if start is None else start,
            report,
            secrets.randbelow(1 << 16),
        )

    def now(self) -> float:
        """Seconds since the origin."""
        return self.clock() - self.origin

    def pause(self, attempt: int, asked: float | None = None) -> bool:
        """Wait before attempt number `attempt` + 1 (from 0) is repeated. False: the load is ending."""
        return not self.ending.wait(self.backoff.pause(attempt, asked, self.jitter))

    def not_sent(self, arrival: Arrival, begin: float, code: str) -> None:
        """Tell of an arrival that nobody was free to serve; `begin` is the load's, from the origin."""
        words = {
            BACKLOG_FULL: "every user of the load was busy, and too many arrivals waited already",
            NOT_SERVED: "the load ended before one of its users was free",
        }
        self.refused += 1
        intended = begin + arrival.at
        now = max(intended, self.now())
        sample = Sample(
            intended=intended,
            started=now,
            ended=now,
            journey=arrival.journey,
            step="",
            outcome=Outcome.FAILED,
            codes=(code,),
            message=words[code],
            user=-1,
        )
        self.keep(sample)

    def keep(self, sample: Sample) -> None:
        """Write a sample down, and report it."""
        self.samples.write(sample)
        self.report(sample)
