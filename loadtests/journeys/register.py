"""A new customer."""

from chaos.record import Outcome
from loadtests.documents import REGISTER
from loadtests.enrol import stranger
from loadtests.journeys.journey import Journey
from loadtests.sessions import sign_in
from loadtests.visit import Visit


def run(visit: Visit) -> None:
    """Register a stranger; where the outcome is unknown, see by signing in, as docs/identity.md says."""
    session = stranger()
    given = {"email": session.email, "password": session.password, "name": "Load"}
    told = visit.credential(REGISTER, given)
    if told.outcome in {Outcome.UNKNOWN, Outcome.FAILED}:
        sign_in(visit, session)


JOURNEY = Journey("register", "a new customer; signing in tells when the outcome is unknown", run)
