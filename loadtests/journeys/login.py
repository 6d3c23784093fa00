"""Signing in."""

from loadtests.journeys.journey import Journey
from loadtests.sessions import sign_in
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Sign in anew, though the old session was still good: on another device, as it were."""
    with visit.person.session.renewing:
        sign_in(visit, visit.person.session)


JOURNEY = Journey("login", "sign in by e-mail address and password", run)
