"""A fault proxy that listens, and how its API is called."""

from collections.abc import Awaitable, Callable
from typing import Any

NOBODY = "127.0.0.1:9"
"""An address where nobody listens."""

Answer = tuple[int, Any]
Call = Callable[..., Awaitable[Answer]]
"""`await call("GET", "/proxies")` → status and decoded body, None if empty."""


def error(message: str, status: int) -> Answer:
    """What Toxiproxy's API says when it refuses."""
    return status, {"error": message, "status": status}
