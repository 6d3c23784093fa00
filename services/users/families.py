"""What presenting a refresh token means. Pure: rows and the database's time in, a verdict out.

A family is everything that grew from one sign-in. Using its live token makes a successor. Presenting a
used one again means that two hold it, the owner and a thief, so the family ends; with one exception: the
answer that carried the successor may have been lost. For `REPLAY_WINDOW` after its use, and only while
the successor has not been used, the token just used is answered with a fresh successor, and the old one
is void. Void is not final yet: requests overtake each other, so the owner may hold either of the twins. The
first twin that is used is the good one, and a thief gains nothing by that: whoever presents another one
from then on ends the family.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TOKEN_LIFETIME = timedelta(days=7)
"""How long a refresh token can be used; each use starts anew."""

FAMILY_LIFETIME = timedelta(days=30)
"""How long a session can be carried on without a password, however often it is refreshed."""

REPLAY_WINDOW = timedelta(seconds=30)
"""How long a lost answer can be asked for again, reckoned from the first use."""

FAMILIES_PER_USER = 20
"""Most sessions of one user; a further sign-in ends the oldest. Bounds what one user can store."""

PREFIX = "brt_"
"""Begins every refresh token, so that scanners of logs and repositories can recognise one."""


class TokenState(StrEnum):
    LIVE = "live"
    USED = "used"
    VOID = "void"
    """A successor that was replaced, because it may never have reached its owner."""


class EndReason(StrEnum):
    LOGOUT = "logout"
    REUSE = "reuse"
    DEACTIVATION = "deactivation"
    LIMIT = "limit"


class Verdict(StrEnum):
    ROTATE = "rotate"
    REPLACE = "replace"
    """Answer again: void the unused successor and make another."""
    INVALID = "invalid"
    REUSED = "reused"
    """Two hold it: end the family."""


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token as stored, with its family, read under the family's lock.

    `successor_state` is None when it has no successor. `twin_unused`: of a void one, whether what replaced
    it has not been used either.
    """

    state: TokenState
    expires_at: datetime
    used_at: datetime | None
    successor_state: TokenState | None
    family_ended: bool
    twin_unused: bool = False


def judge(token: PresentedToken, now: datetime) -> Verdict:
    """What to do with a token that is presented at `now` (the database's clock)."""
    if token.family_ended or now >= token.expires_at:
        return Verdict.INVALID
    if token.state is TokenState.LIVE or (token.state is TokenState.VOID and token.twin_unused):
        return Verdict.ROTATE
    if token.state is TokenState.USED and _answer_may_be_lost(token, now):
        return Verdict.REPLACE
    return Verdict.REUSED


def _answer_may_be_lost(token: PresentedToken, now: datetime) -> bool:
    if token.used_at is None or token.successor_state is not TokenState.LIVE:
        return False
    return now - token.used_at <= REPLAY_WINDOW


def expiry(family_created_at: datetime, now: datetime) -> datetime:
    """When a token made at `now` ends: it cannot outlive its family."""
    return min(now + TOKEN_LIFETIME, family_created_at + FAMILY_LIFETIME)


def new_token() -> str:
    """A fresh refresh token: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """What is stored of a token. It has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()
