"""Replicas hear each other over a real Valkey, and a hint alone opens nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from chassis.hints import Hints
from chassis.settings import Secret
from resilience import BreakerOptions, CircuitBreaker, Emitter
from resilience.hints import HintOptions
from tests.waiting import eventually

OPTIONS = HintOptions(heartbeat_seconds=0.05, forget_seconds=0.5)


@asynccontextmanager
async def replica(url: str, service: str) -> AsyncIterator[CircuitBreaker]:
    """A process whose breaker of `ledger` takes part in the hints."""
    events = Emitter()
    breaker = CircuitBreaker("ledger", BreakerOptions(break_seconds=60.0), events=events)
    hints = Hints(Secret(url), service, lambda: [breaker], events, OPTIONS)
    stop = asyncio.Event()
    running = asyncio.create_task(hints.run(stop))
    try:
        yield breaker
    finally:
        stop.set()
        await running


async def test_replicas_lower_each_others_thresholds(valkey_url: str) -> None:
    """Two open breakers of three lower the third's threshold, do not open it, and are forgotten."""
    service = f"test-{uuid4().hex[:8]}"
    async with replica(valkey_url, service) as third:
        async with AsyncExitStack() as stack:
            others = [
                await stack.enter_async_context(replica(valkey_url, service)) for _ in range(2)
            ]
            for breaker in others:
                breaker.open()
            await eventually(lambda: third.threshold_factor == OPTIONS.factor)
            assert third.current_state == "closed"
        await eventually(lambda: third.threshold_factor == 1.0)


async def test_another_service_is_not_heard(valkey_url: str) -> None:
    """The gateways' view of the ledger is not the transactions service's."""
    name = uuid4().hex[:8]
    async with (
        replica(valkey_url, f"one-{name}") as ours,
        replica(valkey_url, f"two-{name}") as theirs,
        replica(valkey_url, f"two-{name}") as theirs_too,
        replica(valkey_url, f"two-{name}") as listener,
    ):
        theirs.open()
        theirs_too.open()
        await eventually(lambda: listener.threshold_factor == OPTIONS.factor)
        assert ours.threshold_factor == 1.0
