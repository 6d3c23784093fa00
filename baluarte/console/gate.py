"""What a browser may do: the checks before a request is looked at, and the headers of every answer."""

import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from baluarte.console.names import HEADER
from baluarte.supervisor.api import problem

HEADERS: Final = {
    # Nothing from anywhere but here, no script or style in the page itself, no text made markup.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

HOSTS: Final = frozenset({"127.0.0.1", "localhost"})
"""Names that a browser may have called us by. A name of somebody else's that leads here (DNS rebinding) is
none of them; the port is not compared, since a tunnel may have another one at its near end."""

_HOST: Final = re.compile(r"([a-z0-9.-]+)(?::\d{1,5})?", re.IGNORECASE)
_SAFE: Final = frozenset({"GET", "HEAD"})


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what no page of ours would send, whoever is signed in."""
    host = _HOST.fullmatch(request.headers.get("Host", ""))
    if host is None or host[1].lower() not in HOSTS:
        detail = f"this console is called {' or '.join(sorted(HOSTS))}, and nothing else"
        return problem(421, "HOST_UNKNOWN", detail)
    if request.method not in _SAFE and not _from_here(request):
        detail = f"the request has no {HEADER}, or comes from another page"
        return problem(403, "FOREIGN_PAGE", detail)
    return await handler(request)


def _from_here(request: web.Request) -> bool:
    """Whether our page, or no browser at all, has sent it. Browsers tell the origin of every POST."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin)[:2] != ("http", request.headers["Host"]):
        return False
    return HEADER in request.headers


async def armour(_: web.Request, response: web.StreamResponse) -> None:
    """The headers, on every answer: also on refusals, and on those that are still being sent."""
    response.headers.update(HEADERS)
