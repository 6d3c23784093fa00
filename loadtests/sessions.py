"""Being signed in, as docs/identity.md tells clients to: refresh, insist on a lost answer, or sign in."""

from collections.abc import Mapping
from typing import Any

from chaos.history.answers import SIGNED_OUT
from chaos.record import Outcome
from loadtests.answers import Told
from loadtests.documents import LOGIN, REFRESH, Query
from loadtests.limits import MAX_PAUSE, REFRESH_GRACE_SECONDS, SEND_ATTEMPTS
from loadtests.people import Session
from loadtests.visit import Visit

LOST = frozenset({Outcome.FAILED, Outcome.UNKNOWN})
"""The answer is not there, or says that nobody knows: the request may have been carried out."""


def look(visit: Visit, query: Query, variables: Mapping[str, Any] | None = None) -> Told:
    """Read something as the signed-in person; when signed out, be signed in again and ask once more."""
    given, session = variables or {}, visit.person.session
    told, _ = visit.exchange(query, given, session)
    if SIGNED_OUT.intersection(told.codes) and renew(visit, session):
        told, _ = visit.exchange(query, given, session, attempt=2)
    return told


def renew(visit: Visit, session: Session) -> bool:
    """Get a new access token: by the refresh token, else by signing in. False: neither was to be had."""
    before = session.access
    with session.renewing:
        if session.access != before:
            return True  # another visit has done it meanwhile
        return refresh(visit, session) or sign_in(visit, session)


def refresh(visit: Visit, session: Session) -> bool:
    """Exchange the refresh token; send the same one again while its answer is lost.

    The platform answers that for 30 seconds after the token's first use. Whoever waits longer is taken for a
    thief, so we sign in instead.
    """
    token, first = session.refresh, visit.load.now()
    for attempt in range(SEND_ATTEMPTS):
        told = visit.credential(REFRESH, {"refreshToken": token}, attempt + 1)
        if told.node is not None:
            session.take(told.node)
            return True
        if not _worth_another(told) or not visit.load.pause(attempt, told.retry_after):
            return False
        if visit.load.now() - first > REFRESH_GRACE_SECONDS:
            return False
    return False


def sign_in(visit: Visit, session: Session) -> bool:
    """Sign in by e-mail address and password."""
    given = {"email": session.email, "password": session.password}
    for attempt in range(SEND_ATTEMPTS):
        told = visit.credential(LOGIN, given, attempt + 1)
        if told.node is not None:
            session.take(told.node)
            return True
        if not _worth_another(told) or not visit.load.pause(attempt, told.retry_after):
            return False
    return False


def _worth_another(told: Told) -> bool:
    """Whether a person would try again now: not if they were told to come back much later."""
    patient = told.retry_after is None or told.retry_after <= MAX_PAUSE
    return patient and (told.retryable or told.outcome in LOST)
