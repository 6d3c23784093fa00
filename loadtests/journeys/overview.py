"""The home screen."""

from loadtests.documents import OVERVIEW
from loadtests.journeys.journey import Journey
from loadtests.sessions import look
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Profile, account, and how fresh each is."""
    look(visit, OVERVIEW)


JOURNEY = Journey("overview", "the home screen: who I am, what I have, and how fresh that is", run)
