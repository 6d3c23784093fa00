"""The Locust user: enrols, and then serves one arrival after the other."""

import random
import time
from typing import Any, ClassVar, Final

from gevent.lock import BoundedSemaphore
from locust import FastHttpUser, task
from locust.event import EventHook
from locust.exception import StopUser

from chaos.record import Sample
from loadtests.enrol import EnrolError, enrol, enter
from loadtests.journeys import JOURNEYS
from loadtests.limits import CLIENT_SECONDS, CONNECT_SECONDS, ENROLLERS, MAX_USERS
from loadtests.load import Load, Report
from loadtests.people import Person, Session, address
from loadtests.thresholds import KEPT
from loadtests.visit import Visit
from loadtests.wire import Wire

COHORT_HEADER: Final = "X-Cohort"
"""Says a user's cohort, so that a fault at the gateway can be for one cohort only."""
STAFF_ADDRESS: Final = 253
"""Last part of the staff's address less one: beyond the users'."""


class NotServed(Exception):
    """What Locust counts as a failure: an answer that kept no promise."""


class Lobby:
    """Where users of one load come in: a few at a time, and then all begin together."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.failure: EnrolError | None = None
        self.begin = 0.0
        """When arrivals are counted from, seconds from the origin."""
        self._door = BoundedSemaphore(ENROLLERS)
        self._came = 0

    @property
    def complete(self) -> bool:
        """Whether all are in."""
        return len(self.load.people) == self.load.config.users

    def admit(self, agent: Any) -> Person:
        """Let one more in. Raises EnrolError."""
        number, self._came = self._came, self._came + 1
        if number >= MAX_USERS:
            raise EnrolError("let more users in", f"{MAX_USERS} is the most of one process")
        load = self.load
        person = Person(
            number,
            load.cohorts[number % len(load.cohorts)],
            self._wire(agent, number, load.cohorts[number % len(load.cohorts)]),
            random.Random(f"{number} {load.config.seed}"),  # noqa: S311 - repeatable, not secret
            Session("", ""),
        )
        with self._door:
            if self.failure is not None:
                raise self.failure
            try:
                self._staff(agent)
                enrol(load, person)
            except EnrolError as error:
                self.failure = error
                raise
        load.people.append(person)
        return person

    def _staff(self, agent: Any) -> None:
        """The first who comes in brings the staff along, who use that person's connections."""
        load = self.load
        if load.config.staff is None or load.staff is not None:
            return
        draw = random.Random(f"staff {load.config.seed}")  # noqa: S311 - repeatable, not secret
        wire = self._wire(agent, STAFF_ADDRESS, "")
        load.staff = Person(2 * MAX_USERS, "", wire, draw, Session(*load.config.staff))
        enter(load, load.staff)

    def _wire(self, agent: Any, number: int, cohort: str) -> Wire:
        headers = {"X-Forwarded-For": address(self.load.network, number)}
        if cohort:
            headers[COHORT_HEADER] = cohort
        return Wire(agent, self.load.config.endpoint, headers)


class Customer(FastHttpUser):
    """One virtual user. `lobby` is set before the first is spawned."""

    abstract = True
    lobby: ClassVar[Lobby]
    network_timeout = CLIENT_SECONDS
    connection_timeout = CONNECT_SECONDS
    max_redirects = 0
    max_retries = 0

    def on_start(self) -> None:
        """Enrol, or leave."""
        try:
            self.person = self.lobby.admit(self.client.client)
        except EnrolError as error:
            raise StopUser from error

    @task
    def visit(self) -> None:
        """Serve the next arrival; leave when there will be none."""
        load = self.lobby.load
        arrival = load.backlog.take()
        if arrival is None:
            raise StopUser
        load.begun += 1
        visit = Visit(load, self.person, arrival.journey, self.lobby.begin + arrival.at)
        JOURNEYS[arrival.journey].run(visit)


def to_locust(request: EventHook, endpoint: str) -> Report:
    """Samples as Locust's request events: its statistics then count latency from the intended start."""

    def report(sample: Sample) -> None:
        failed = sample.outcome not in KEPT
        # Bounded: Locust keeps one row for every different text.
        words = f"{sample.outcome}: {', '.join(sample.codes)}"
        request.fire(  # type: ignore[no-untyped-call]
            request_type="GraphQL",
            name=f"{sample.journey} {sample.step or '(not sent)'}",
            response_time=(sample.ended - sample.intended) * 1000,
            response_length=0,
            exception=NotServed(words) if failed else None,
            context={},
            response=None,
            start_time=time.time(),
            url=endpoint,
        )

    return report
