"""The gateway's rate limits: requests per client, and tries of credentials per account and address."""

import math
import unicodedata
from dataclasses import dataclass

from chassis import codes
from graphql_api.security.rate_limit import Store, client_key
from graphql_api.security.windows import Decision, Window
from graphql_api.settings import GatewaySettings
from graphql_api.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The three windows."""

    requests: Window
    logins_per_account: Window
    logins_per_address: Window

    @classmethod
    def of(cls, settings: GatewaySettings) -> "RateLimits":
        return cls(
            requests=Window(settings.requests_per_minute),
            logins_per_account=Window(settings.logins_per_account),
            logins_per_address=Window(settings.logins_per_address),
        )


class Limiter:
    """Admits requests and tries of credentials."""

    def __init__(self, store: Store, limits: RateLimits, telemetry: Telemetry) -> None:
        self._store = store
        self._limits = limits
        self._telemetry = telemetry

    async def request(self, client: str) -> Decision:
        """Count a request of `client` (a user's id, or an address)."""
        decision = await self._store.take(client_key("requests", client), self._limits.requests)
        if not decision.allowed:
            self._telemetry.limited("requests")
        return decision

    async def credentials(self, address: str, email: str | None) -> None:
        """Count a try of credentials from `address`, on the account of `email` if there is one.

        The address comes first: one that is refused must not use up an account's tries.

        Raises:
            CodedError: RATE_LIMITED.
        """
        await self._admit("address", address, self._limits.logins_per_address)
        if email is not None:
            await self._admit("account", same_account(email), self._limits.logins_per_account)

    async def _admit(self, kind: str, identity: str, window: Window) -> None:
        decision = await self._store.take(client_key(kind, identity), window)
        if not decision.allowed:
            self._telemetry.limited("credentials")
            raise codes.RATE_LIMITED.error(
                "Too many tries to sign in; wait before the next.",
                retry_after=float(math.ceil(decision.retry_after)),
            )

    def headers(self, decision: Decision) -> dict[str, str]:
        """RateLimit fields (draft-ietf-httpapi-ratelimit-headers), and Retry-After on refusal."""
        window = self._limits.requests
        headers = {
            "ratelimit-policy": f'"requests";q={window.limit};w={math.ceil(window.seconds)}',
            "ratelimit": f'"requests";r={decision.remaining};t={math.ceil(decision.reset)}',
        }
        if not decision.allowed:
            headers["retry-after"] = str(max(1, math.ceil(decision.retry_after)))
        return headers


def same_account(email: str) -> str:
    """One text for every way of writing an address (Unicode's canonical caseless form, D145).

    The users service matches addresses so; with anything weaker, each spelling of one address would
    have tries of its own.
    """
    decomposed = unicodedata.normalize("NFD", email.strip())
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", decomposed.casefold()))
