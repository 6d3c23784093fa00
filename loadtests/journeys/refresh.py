"""Refreshing tokens."""

from loadtests.journeys.journey import Journey
from loadtests.sessions import renew
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Refresh; send the same token again while the answer is lost; sign in when it is too late for that."""
    renew(visit, visit.person.session)


JOURNEY = Journey(
    "refresh", "new tokens for old, the same token again when the answer is lost", run
)
