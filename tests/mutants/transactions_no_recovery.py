"""A transactions service that asks the ledger once: what has no answer then stays pending for ever."""

import asyncio

from chassis.server import run
from services.transactions.app import compose
from services.transactions.contract import SERVICE
from services.transactions.recovery import Recovery


async def _idle(_: Recovery, stop: asyncio.Event) -> None:
    await stop.wait()


if __name__ == "__main__":
    Recovery.run = _idle  # type: ignore[method-assign, assignment]
    run(SERVICE, compose)
