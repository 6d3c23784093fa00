"""Who asks, from the Authorization header. A token that does not count makes nobody of them, with a reason.

An operation that needs no user must work with an expired token in the header: that is how a client with
an interceptor signs in again.
"""

from dataclasses import dataclass

from chassis import codes
from chassis.context import UserIdentity
from chassis.errors import CodedError
from chassis.gate import bearer
from chassis.tokens import AccessTokens


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `rejected` tells why a token that was sent does not count."""

    user: UserIdentity | None = None
    token: str | None = None
    rejected: CodedError | None = None


async def identify(authorization: str | None, tokens: AccessTokens) -> Visitor:
    """The visitor whom the header stands for."""
    if authorization is None:
        return Visitor()
    token = bearer(authorization)
    if token is None:
        return Visitor(
            rejected=codes.UNAUTHENTICATED.error("Send the access token as `Bearer <token>`.")
        )
    try:
        return Visitor(await tokens.verify(token), token)
    except CodedError as error:
        return Visitor(rejected=error)
