"""A change of the profile."""

from chaos.history.answers import SIGNED_OUT
from chaos.record import Outcome
from loadtests.documents import PROFILE
from loadtests.journeys.journey import Journey
from loadtests.limits import MAX_PAUSE, SEND_ATTEMPTS
from loadtests.sessions import renew
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Take a new name. The same change twice is one change, so it is sent again while it is not known."""
    person = visit.person
    change = {"input": {"name": f"Load {person.draw.randrange(1_000_000)}"}}
    for attempt in range(SEND_ATTEMPTS):
        told, _ = visit.exchange(PROFILE, change, person.session, attempt + 1)
        signed_out = bool(SIGNED_OUT.intersection(told.codes))
        again = told.retryable or told.outcome in {Outcome.FAILED, Outcome.UNKNOWN} or signed_out
        if not again or (told.retry_after or 0.0) > MAX_PAUSE:
            return
        if signed_out and not renew(visit, person.session):
            return
        if not visit.load.pause(attempt, told.retry_after):
            return


JOURNEY = Journey("profile", "a new name for the profile", run)
