"""The tokens of a signed-in user."""

import strawberry

from graphql_api.degradation import LIVE
from graphql_api.users.types import User
from services.users import contract


@strawberry.type(description="A signed-in user and their tokens.")
class Session:
    access_token: str = strawberry.field(
        description="Send it as `Authorization: Bearer …`; keep it in memory only."
    )
    access_expires_in: int = strawberry.field(
        description="Seconds that the access token lives from now."
    )
    refresh_token: str = strawberry.field(
        description="Exchange it once, with `refreshToken`, for new tokens."
    )
    refresh_expires_in: int = strawberry.field(
        description="Seconds that the refresh token lives from now."
    )
    user: User = strawberry.field(description="The signed-in user.")

    @classmethod
    def of(cls, row: contract.Session) -> "Session":
        """The users service's answer as clients see it."""
        return cls(
            access_token=row.access_token,
            access_expires_in=row.access_expires_in,
            refresh_token=row.refresh_token,
            refresh_expires_in=row.refresh_expires_in,
            user=User.of(row.user, LIVE),
        )
