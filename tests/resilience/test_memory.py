"""Memory stays flat: over many calls, and over many more keys than there is room for."""

import asyncio
import gc
import tracemalloc

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


async def held() -> int:
    """Bytes held when timers have run out and forgotten pipelines (cycles) are collected."""
    await asyncio.sleep(3 * TIMEOUT)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def drive(calls: int, keys: int) -> tuple[int, int]:
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
        if number == calls // 10:
            early = await held()
    return early, await held()


def flat(calls: int, keys: int) -> None:
    async def measure() -> None:
        tracemalloc.start()
        try:
            early, late = await drive(calls, keys)
        finally:
            tracemalloc.stop()
        # What a tenth of the calls left behind is all that there ever is.
        assert late - early < 100_000

    run_plainly(measure())


def test_memory_is_flat_over_many_calls_and_keys() -> None:
    """5,000 calls with 2,500 distinct keys hold no more than 500 calls did."""
    flat(5_000, 2_500)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_memory_is_flat_over_a_million_calls() -> None:
    """A million calls with 100,000 distinct keys hold no more than a tenth of them did."""
    flat(1_000_000, 100_000)
