"""An impatient thumb."""

import gevent

from loadtests.journeys.journey import Journey
from loadtests.journeys.pay import payment
from loadtests.limits import MAX_USERS
from loadtests.money import insist, send
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Send one key twice at the same time: one transfer must come of it, and both must name it.

    In the history the second click is a process of its own, since a process has one operation open.
    """
    command, session = payment(visit), visit.person.session
    thumb = visit.person.number + MAX_USERS
    second = gevent.spawn(send, visit, command, session, attempt=2, process=thumb)
    try:
        outcome = send(visit, command, session)
        second.get()  # raises what it raised
    finally:
        second.kill()
    if outcome.retry:
        insist(visit, command, session, attempts=2)


JOURNEY = Journey("double-click", "the same key twice at the same time", run)
