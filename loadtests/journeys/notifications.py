"""What the bank has told me."""

from loadtests.documents import NOTIFICATIONS
from loadtests.journeys.journey import Journey
from loadtests.sessions import look
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """The last ten notifications, with their transactions."""
    look(visit, NOTIFICATIONS)


JOURNEY = Journey(
    "notifications", "the last notifications, with the transactions they are about", run
)
