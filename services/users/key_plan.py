"""When signing keys are made, used and withdrawn. Pure: rows and the database's time in, a plan out.

A new key is published for `PUBLISH_AHEAD` before it signs, so that every verifier has fetched it by
then; the old one stays published until the last token that it signed has expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ACCESS_LIFETIME = timedelta(minutes=15)
"""How long an access token is valid: also how long a deactivated user's token still opens doors."""

ROTATE_EVERY = timedelta(days=30)
"""How long one key signs."""

PUBLISH_AHEAD = timedelta(hours=1)
"""How long a key is published before it signs: 12 times the interval at which verifiers ask."""

MARGIN = timedelta(minutes=5)
"""Added to a token's life before its key goes: replicas switch keys within seconds, clocks differ."""

FORGET_FOREIGN = 2 * ROTATE_EVERY
"""When a key under a secret that we do not have is deleted: nothing it signed can be valid."""


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """One key's place in the schedule. `ours` tells whether we have the secret that it is sealed with."""

    kid: str
    signs_from: datetime
    retire_at: datetime | None
    ours: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now.

    Attributes:
        create_from: make a key that signs from then on; None when none is due.
        retire: kid → when it goes; written once the successor stands.
        delete: kids that no valid token was signed with.
    """

    create_from: datetime | None
    retire: dict[str, datetime]
    delete: tuple[str, ...]


def signer(keys: Sequence[KeyTimes], now: datetime) -> KeyTimes | None:
    """The key that signs at `now`: the latest of ours that has begun."""
    begun = [key for key in keys if key.ours and key.signs_from <= now]
    return max(begun, key=lambda key: key.signs_from, default=None)


def plan(
    keys: Sequence[KeyTimes], now: datetime, *, rotate_every: timedelta = ROTATE_EVERY
) -> Plan:
    """What the schedule asks for at `now`."""
    ours = sorted((key for key in keys if key.ours), key=lambda key: key.signs_from)
    newest = ours[-1] if ours else None
    create_from: datetime | None = None
    if newest is None:
        create_from = now  # nothing can sign: verifiers will meet an unknown key and ask
    elif now >= newest.signs_from + rotate_every - PUBLISH_AHEAD:
        create_from = max(newest.signs_from + rotate_every, now + PUBLISH_AHEAD)
    starts = [key.signs_from for key in ours[1:]] + ([create_from] if create_from else [])
    retire = {
        key.kid: start + ACCESS_LIFETIME + MARGIN
        for key, start in zip(ours, starts, strict=False)
        if key.retire_at is None
    }
    delete = tuple(key.kid for key in keys if _is_spent(key, now))
    return Plan(create_from, retire, delete)


def _is_spent(key: KeyTimes, now: datetime) -> bool:
    if key.retire_at is not None:
        return key.retire_at <= now
    return not key.ours and key.signs_from + FORGET_FOREIGN <= now
