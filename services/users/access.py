"""The claims of access tokens."""

from datetime import datetime
from uuid import UUID, uuid4

from chassis import tokens
from services.users.contract import Role
from services.users.key_plan import ACCESS_LIFETIME


def claims(user_id: UUID, role: Role, session: UUID, now: datetime) -> dict[str, object]:
    """What an access token made at `now` (the database's clock) says."""
    issued = int(now.timestamp())
    return {
        "iss": tokens.ISSUER,
        "aud": tokens.AUDIENCE,
        "sub": str(user_id),
        "role": role.value,
        "sid": str(session),
        "jti": str(uuid4()),
        "iat": issued,
        "exp": issued + int(ACCESS_LIFETIME.total_seconds()),
    }
