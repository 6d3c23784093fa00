"""Security headers on every answer, and which origins' pages may read them."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For data: nothing in it is ever to be run or framed."""

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}

HSTS = "max-age=63072000; includeSubDomains"
"""Two years, as the preload list asks."""

CORS_METHODS = ("GET", "POST")
CORS_REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "deadline-ms",
    "traceparent",
    "x-correlation-id",
)
CORS_RESPONSE_HEADERS = ("ratelimit", "ratelimit-policy", "retry-after", "x-correlation-id")
CORS_MAX_AGE = 600
"""Seconds that a browser may remember a preflight: what browsers cap it at, or near."""


class SecurityHeaders:
    """Pure ASGI middleware; what an answer has set itself is kept.

    Args:
        https_only: whether to send Strict-Transport-Security; in production only.
    """

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        self._app = app
        self._headers = dict(ALWAYS)
        if https_only:
            self._headers["strict-transport-security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", API_POLICY)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, secured)


def protect(app: Starlette, *, origins: Sequence[str], https_only: bool) -> None:
    """Put CORS and the security headers around everything that `app` answers.

    No cookies are used, so pages of other origins are never allowed to send credentials of the browser.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=CORS_METHODS,
        allow_headers=CORS_REQUEST_HEADERS,
        expose_headers=CORS_RESPONSE_HEADERS,
        allow_credentials=False,
        max_age=CORS_MAX_AGE,
    )
    app.add_middleware(SecurityHeaders, https_only=https_only)
