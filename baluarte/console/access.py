"""Who may look: the console's token, tickets for one sign-in, and the sessions of browsers.

The token is drawn at each start and kept in the state directory for its owner alone. A ticket is what
`baluarte console` puts into the URL that it prints: it signs in once, soon, and is worth nothing afterwards,
so that neither a terminal's scroll-back nor a browser's history opens the console.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from baluarte.embedded.places import write_private

FILE: Final = "console.token"
"""In the state directory."""

SESSION_SECONDS: Final = 8 * 3600.0
"""A working day; a forgotten tab is signed out in the evening."""

MAX_SESSIONS: Final = 16
"""Browsers at a time; the oldest is signed out for a new one."""

TICKET_SECONDS: Final = 120.0
MAX_TICKETS: Final = 8
"""Not used yet; the oldest goes for a new one."""

_SECRET_BYTES: Final = 32


def draw(state: Path) -> str:
    """A new token, kept in the state directory."""
    token = secrets.token_urlsafe(_SECRET_BYTES)
    write_private(state / FILE, token)
    return token


def token_of(state: Path) -> str:
    """The token of the console that runs on `state`. Raises OSError: there is none."""
    return (state / FILE).read_text().strip()


class Access:
    """Exchanges what people show for sessions. Everything in it is bounded, and ends with the process.

    Args:
        token: opens the console, again and again.
        clock: seconds; monotonic.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._tickets = _Expiring(TICKET_SECONDS, MAX_TICKETS)
        self._sessions = _Expiring(SESSION_SECONDS, MAX_SESSIONS)

    def is_token(self, shown: str) -> bool:
        """Compared in a time that tells nothing."""
        return hmac.compare_digest(shown.encode(), self._token.encode())

    def ticket(self) -> str:
        """A new one, for a URL."""
        return self._tickets.draw(self._clock())

    def admit(self, shown: str) -> str | None:
        """A new session for the token, or for a ticket, which is spent by this; else None."""
        now = self._clock()
        if self._tickets.take(shown, now) or self.is_token(shown):
            return self._sessions.draw(now)
        return None

    def knows(self, session: str) -> bool:
        """Whether a session is open still."""
        return self._sessions.has(session, self._clock())

    def leave(self, session: str) -> None:
        """Sign out."""
        self._sessions.take(session, self._clock())


class _Expiring:
    """Secrets with an end, oldest first, at most `most`."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._ends: OrderedDict[str, float] = OrderedDict()

    def draw(self, now: float) -> str:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        while len(self._ends) >= self._most:
            self._ends.popitem(last=False)
        self._ends[secret] = now + self._seconds
        return secret

    def has(self, secret: str, now: float) -> bool:
        return self._ends.get(secret, now) > now

    def take(self, secret: str, now: float) -> bool:
        return self._ends.pop(secret, now) > now
