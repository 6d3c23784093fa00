"""Memory stays flat: over many calls, and over many more keys than there is room for."""

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from resilience import (
    BreakerOptions,
    BudgetOptions,
    BulkheadOptions,
    CopyKey,
    DeadlineOptions,
    FallbackOptions,
    Pipeline,
    PipelineOptions,
    RetryOptions,
    TimeoutOptions,
)
from resilience.policy_set import PolicySet
from resilience.rate_limit import RateLimiter, RateLimitOptions

from .conftest import run_plainly


class Text:
    def encode(self, value: str) -> bytes:
        return value.encode()

    def decode(self, data: bytes) -> str:
        return data.decode()


#: An attempt timeout keeps one timer until it has run out: short, so that we can wait for it.
TIMEOUT = 0.05

OPTIONS = PipelineOptions(
    fallback=FallbackOptions(local_bytes=100_000, copy_bytes=10_000),
    single_flight=True,
    deadline=DeadlineOptions(),
    retry=RetryOptions(),
    budget=BudgetOptions(),
    breaker=BreakerOptions(),
    bulkhead=BulkheadOptions(),
    timeout=TimeoutOptions(TIMEOUT),
)


async def allowed(user: str) -> bool:
    return True


def traced() -> int:
    """Bytes of Python objects; exact and slow."""
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """Bytes of the whole process; rough and free."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def held(measure: Callable[[], int]) -> int:
    """Bytes held when timers have run out and forgotten pipelines (cycles) are collected."""
    await asyncio.sleep(3 * TIMEOUT)
    gc.collect()
    return measure()


async def drive(calls: int, keys: int, measure: Callable[[], int]) -> tuple[int, int]:
    """Bytes held after a tenth of the calls, and after all of them."""
    policies = PolicySet({"users": OPTIONS}, maximum_scoped=5)
    whole = Pipeline("users", OPTIONS)
    limiter = RateLimiter("login", RateLimitOptions(1e6, 1_000, max_keys=500))

    async def lookup(user: str) -> str:
        return f"profile of {user}"

    served = whole.served(
        lookup, key=lambda user: CopyKey("c", user, "owner"), codec=Text(), authorise=allowed
    )
    early = 0
    for number in range(calls):
        user = f"user-{number % keys}"
        limiter.acquire(user)
        await served(user)
        if number % 100 == 0:
            await policies.pipeline("users", user).read(lookup)(user)
            await asyncio.sleep(0)
        if number == calls // 10:
            early = await held(measure)
    return early, await held(measure)


def test_memory_is_flat_over_many_calls_and_keys() -> None:
    """5,000 calls with 2,500 distinct keys hold no more than 500 calls did."""

    async def measure() -> None:
        tracemalloc.start()
        try:
            early, late = await drive(5_000, 2_500, traced)
        finally:
            tracemalloc.stop()
        assert late - early < 100_000

    run_plainly(measure())


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_memory_is_flat_over_a_million_calls() -> None:
    """A million calls with 100,000 distinct keys hold what a tenth of them did, within 4 MB."""

    async def measure() -> None:
        early, late = await drive(1_000_000, 100_000, resident)
        assert late - early < 4_000_000

    run_plainly(measure())
