"""Who may enter: the calling service by its credential, the user by their access token."""

from collections.abc import Mapping
from typing import Any

from chassis import codes
from chassis.context import UserIdentity
from chassis.contract import Operation, UserAccess
from chassis.credentials import Verifier
from chassis.tokens import AccessTokens

BEARER = "bearer "


class Gate:
    """Checks the two credentials of a request against what an operation asks for.

    Args:
        verifier: tells services apart; None only where every operation is public.
        tokens: tells users apart; None where no operation acts for a user.
    """

    def __init__(self, verifier: Verifier | None, tokens: AccessTokens | None) -> None:
        self._verifier = verifier
        self._tokens = tokens

    def caller(self, operation: Operation[Any, Any], headers: Mapping[str, str]) -> str:
        """Name of the calling service; empty for a public operation.

        Raises:
            CodedError: SERVICE_UNAUTHENTICATED, SERVICE_FORBIDDEN.
        """
        if not operation.callers:
            return ""
        token = bearer(headers.get("authorization"))
        if token is None or self._verifier is None:
            raise codes.SERVICE_UNAUTHENTICATED.error("No service credential was sent.")
        caller = self._verifier.verify(token)
        if caller not in operation.callers:
            raise codes.SERVICE_FORBIDDEN.error(
                f"The service {caller} may not call {operation}; it is for "
                f"{', '.join(sorted(operation.callers))}."
            )
        return caller

    async def user(
        self, operation: Operation[Any, Any], headers: Mapping[str, str]
    ) -> tuple[UserIdentity | None, str | None]:
        """The signed-in user and their token, if the operation acts for one.

        Raises:
            CodedError: UNAUTHENTICATED, TOKEN_EXPIRED, UNAVAILABLE.
        """
        if operation.user is UserAccess.NONE:
            return None, None
        token = bearer(headers.get("user-authorization"))
        if token is None or self._tokens is None:
            if operation.user is UserAccess.REQUIRED:
                raise codes.UNAUTHENTICATED.error()
            return None, None
        return await self._tokens.verify(token), token


def bearer(header: str | None) -> str | None:
    """The token of a `Bearer` header, or nothing."""
    if header is None or header[: len(BEARER)].lower() != BEARER:
        return None
    return header[len(BEARER) :].strip() or None
