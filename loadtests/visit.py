"""A visit: one person, one journey, and a sample of every request in it."""

from collections.abc import Mapping
from typing import Any

from chaos.history.answers import Reply
from chaos.record import Sample
from loadtests.answers import Told, read
from loadtests.documents import Query
from loadtests.load import Load
from loadtests.people import Person, Session


class Visit:
    """What a journey is given.

    Args:
        intended: when it should have begun, from the origin; None for what no arrival asked for. Only the
            first request can be late: the others begin when the one before has ended.
        sampled: False for what is not load, such as enrolling.
    """

    def __init__(
        self,
        load: Load,
        person: Person,
        journey: str,
        intended: float | None = None,
        *,
        sampled: bool = True,
    ) -> None:
        self.load = load
        self.person = person
        self.journey = journey
        self._intended = intended
        self._sampled = sampled

    def exchange(
        self,
        query: Query,
        variables: Mapping[str, Any],
        session: Session | None,
        attempt: int = 1,
    ) -> tuple[Told, Reply]:
        """Send a request once, as whoever `session` belongs to, and keep a sample of it."""
        started = self.load.now()
        intended, self._intended = self._intended, None
        reply = self.person.wire.post(query, variables, session.access if session else "")
        told = read(query, reply)
        if self._sampled:
            self.load.keep(
                Sample(
                    intended=started if intended is None else intended,
                    started=started,
                    ended=self.load.now(),
                    journey=self.journey,
                    step=query.field,
                    outcome=told.outcome,
                    codes=told.codes,
                    stale_age=told.stale_age,
                    status=told.status,
                    user=self.person.number,
                    cohort=self.person.cohort,
                    attempt=attempt,
                    message=told.message,
                )
            )
        return told, reply

    def credential(self, query: Query, given: Mapping[str, Any], attempt: int = 1) -> Told:
        """Ask for a session: nobody is signed in while they do."""
        return self.exchange(query, {"input": given}, None, attempt)[0]
