"""Payments side by side, and a few of them alone.

Payments under way at the same moment share one call of the ledger, under a correlation id of its own. So
while the ledger's answer to one payment is held up on purpose, no other may be under way: it would share
the fault, or be told PENDING for no reason of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turnstile:
    """Many pass at a time, or one who wants to be alone. Who wants that is next, so that nobody starves."""

    def __init__(self) -> None:
        self._inside = 0
        self._changed = asyncio.Condition()
        self._gate = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """With others."""
        async with self._gate:
            self._inside += 1
        try:
            yield
        finally:
            async with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """When all others are through, and with nobody else."""
        async with self._gate:
            async with self._changed:
                await self._changed.wait_for(lambda: self._inside == 0)
            yield
