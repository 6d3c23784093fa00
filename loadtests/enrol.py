"""Letting users in: register, see the account, pay the first money in. None of it is load, so no samples."""

import secrets
from typing import Final

import gevent

from chaos.history.client import Party
from chaos.history.events import Status
from loadtests.answers import Told
from loadtests.documents import ACCOUNT, LOGIN, REGISTER
from loadtests.load import Load
from loadtests.money import insist
from loadtests.people import Person, Session
from loadtests.sessions import look
from loadtests.visit import Visit

FUNDS: Final = 100_000
"""Minor units that each user begins with: far more than a run's payments take away from anybody."""
PAUSE: Final = 0.5
"""Seconds between tries, unless the platform asks for more."""
STAFF: Final = "staff"
ABANDONED: Final = "TRANSFER_ABANDONED"
"""Code of a transfer that was given up, whose money stayed where it was."""


class EnrolError(Exception):
    """The platform did not let a user in: it is not well, and there is nothing to measure."""

    def __init__(self, step: str, told: str) -> None:
        super().__init__(f"cannot {step}: {told}")


def stranger() -> Session:
    """Somebody whom the platform does not know: a new e-mail address at a reserved name."""
    return Session(f"load-{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(18))


def enrol(load: Load, person: Person) -> None:
    """Register, and bring the first money in. Raises EnrolError."""
    deadline = load.clock() + load.config.enrol_seconds
    visit = Visit(load, person, "enrol", sampled=False)
    while True:
        session = stranger()  # a new address each time: one whose answer was lost is taken
        given = {"email": session.email, "password": session.password, "name": "Load"}
        told = visit.credential(REGISTER, given)
        if told.node is not None:
            break
        _wait(load, deadline, "register a user", told)
    session.take(told.node)
    person.session = session
    while (told := look(visit, ACCOUNT)).node is None:
        _wait(load, deadline, "see a new user's account", told)
    person.party = Party(session.user, str(told.node["id"]))
    fund(visit, deadline)


def fund(visit: Visit, deadline: float) -> None:
    """Pay the first money in. Raises EnrolError when it is not there in time."""
    person, load = visit.person, visit.load
    command = load.commands.deposit(person.customer, FUNDS)
    while True:
        outcome = insist(visit, command, person.session)
        if outcome.answer.status is Status.COMPLETED:
            return
        failed = outcome.answer.status is Status.FAILED
        if load.clock() > deadline or (failed and outcome.answer.code != ABANDONED):
            raise EnrolError("pay the first money in", str(outcome.answer.code or "still pending"))
        if failed:  # for good, so that it takes another one, under a key of its own
            command = load.commands.deposit(person.customer, FUNDS)
        gevent.sleep(max(PAUSE, outcome.retry_after or 0.0))


def enter(load: Load, person: Person) -> None:
    """Sign somebody in whom the platform knows. Raises EnrolError."""
    deadline = load.clock() + load.config.enrol_seconds
    visit = Visit(load, person, "enrol", sampled=False)
    given = {"email": person.session.email, "password": person.session.password}
    while (told := visit.credential(LOGIN, given)).node is None:
        _wait(load, deadline, f"sign {STAFF} in", told)
    person.session.take(told.node)
    person.party = Party(person.session.user, account="")


def _wait(load: Load, deadline: float, step: str, told: Told) -> None:
    """Wait before the next try. Raises EnrolError when there is no time for one, or no sense in it."""
    pause = max(PAUSE, told.retry_after or 0.0)
    refused = bool(told.codes) and not told.retryable
    if refused or load.clock() + pause > deadline:
        raise EnrolError(step, f"{', '.join(told.codes) or 'null'}: {told.message or 'no reason'}")
    gevent.sleep(pause)
