"""One registry of what a process depends on: readiness asks it, and shutdown closes it.

Each dependency registers its own ping and close where it is built, so neither can be forgotten.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chassis import logs

PING_TIMEOUT = 2.0
"""Seconds that one dependency may take to answer: readiness is polled about once a second."""

CLOSE_TIMEOUT = 2.0
"""Seconds that one dependency may take to close, so that shutdown is bounded."""

Ping = Callable[[], Awaitable[object]]
Close = Callable[[], Awaitable[object]]

_log = logs.get("health")


@dataclass(frozen=True, slots=True)
class DependencyStatus:
    """How a dependency answered: `latency` in seconds, `reason` a coded word when it did not."""

    name: str
    up: bool
    required: bool
    latency: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Dependency:
    name: str
    ping: Ping | None
    close: Close | None
    required: bool


class Registry:
    """The dependencies of one process, in the order in which they were opened."""

    def __init__(self) -> None:
        self._dependencies: list[_Dependency] = []
        self._closed = False

    def register(
        self,
        name: str,
        *,
        ping: Ping | None = None,
        close: Close | None = None,
        required: bool = True,
    ) -> None:
        """Add a dependency. Without `ping` it has no entry in readiness; `required` ones decide it."""
        self._dependencies.append(_Dependency(name, ping, close, required))

    @property
    def names(self) -> tuple[str, ...]:
        """The dependencies that readiness reports."""
        return tuple(item.name for item in self._dependencies if item.ping is not None)

    async def check(self) -> list[DependencyStatus]:
        """Ask every dependency at once; each answer is bounded by `PING_TIMEOUT`."""
        asked = [item for item in self._dependencies if item.ping is not None]
        return list(await asyncio.gather(*(_check(item) for item in asked)))

    async def close(self) -> None:
        """Close all, last opened first; one that fails or hangs does not keep the others open."""
        if self._closed:
            return
        self._closed = True
        for item in reversed(self._dependencies):
            if item.close is None:
                continue
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await item.close()
            except Exception as error:  # noqa: BLE001 - the others must still be closed
                _log.warning("close failed", dependency=item.name, error=type(error).__name__)


async def _check(item: _Dependency) -> DependencyStatus:
    assert item.ping is not None  # noqa: S101 - narrowed by the caller
    started = time.monotonic()
    reason: str | None = None
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await item.ping()
    except TimeoutError:
        reason = "timeout"
    except Exception as error:  # noqa: BLE001 - any failure of a ping means "down"
        reason = type(error).__name__
    latency = time.monotonic() - started
    return DependencyStatus(item.name, reason is None, item.required, latency, reason)
