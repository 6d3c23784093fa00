"""Posts notifications to a URL of the operator's, signed, so that the receiver knows whose they are.

    POST <url>
    Content-Type: application/json
    Idempotency-Key: <notification id>            the same on every attempt: drop what you have seen
    Baluarte-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" with the shared secret>

A 2xx takes it. 400, 410, 413, 415 and 422 refuse it for good; anything else, redirects too, is tried
again.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import aiohttp
import msgspec

from chassis.settings import Secret
from services.notifications.channels.port import DeliveryFailed, Letter

TIMEOUT = 5.0
"""Seconds that one attempt may take altogether."""

CONNECT_TIMEOUT = 2.0

LONGEST_WAIT = 900.0
"""Most seconds of a Retry-After that we follow: no receiver may put its notifications off for ever."""

_REFUSED = frozenset({400, 410, 413, 415, 422})


class WebhookBody(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is posted."""

    id: UUID
    user_id: UUID
    type: str
    title: str
    body: str
    transaction_id: UUID | None
    created_at: datetime


class WebhookChannel:
    """Delivers by HTTP POST. The session is shared and closed by its owner."""

    name = "webhook"

    def __init__(
        self,
        url: str,
        secret: Secret,
        session: aiohttp.ClientSession,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._session = session
        self._now = now

    async def deliver(self, letter: Letter) -> None:
        body = msgspec.json.encode(
            WebhookBody(
                id=letter.id,
                user_id=letter.user_id,
                type=letter.type,
                title=letter.title,
                body=letter.body,
                transaction_id=letter.transaction_id,
                created_at=letter.created_at,
            )
        )
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": str(letter.id),
            "Baluarte-Signature": sign(self._secret, int(self._now()), body),
            "X-Correlation-Id": letter.correlation_id,
        }
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT_TIMEOUT),
            ) as response:
                status, wait = response.status, _wait_of(response.headers.get("Retry-After"))
        except TimeoutError:
            raise DeliveryFailed("TIMEOUT") from None
        except (aiohttp.ClientError, OSError) as error:
            raise DeliveryFailed(_coded(error)) from None
        if not 200 <= status < 300:
            raise DeliveryFailed(f"HTTP_{status}", permanent=status in _REFUSED, after=wait)


def sign(secret: Secret, at: int, body: bytes) -> str:
    """The signature header of `body`, posted at `at` (seconds since 1970)."""
    signed = f"{at}.".encode() + body
    digest = hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _wait_of(header: str | None) -> float:
    """Seconds of a Retry-After; dates are left to our own backoff."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 9:
        return 0.0
    return min(float(header), LONGEST_WAIT)


def _coded(error: Exception) -> str:
    return "TLS" if isinstance(error, aiohttp.ClientSSLError) else "CONNECTION"
