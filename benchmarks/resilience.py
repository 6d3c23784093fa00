"""What the policies cost on the way to a success, as ratios to a bare await, beside other libraries.

    .venv/bin/python -m benchmarks.resilience

The denominator is the best of 20 rounds of 100,000 bare awaits of an `async def` that does nothing;
every other row is the best of 20 rounds as well, in the same loop, rounds alternating, so that a
busy moment of the machine hits all rows alike; time is the thread's CPU time, so that what other
processes take does not count. "Full" is what the peers compose too:

    deadline · retry with budget · circuit breaker (100 calls, slow calls) · bulkhead · attempt timeout

`make bench` installs the peers (`requirements/bench.txt`); without them they are said not to be measured.
"""

import asyncio
import gc
import importlib
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pybreaker

from resilience import (
    AdaptiveOptions,
    BreakerOptions,
    BudgetOptions,
    BulkheadOptions,
    CallDeadline,
    CircuitOpen,
    CopyKey,
    Deadline,
    DeadlineOptions,
    Emitter,
    FallbackOptions,
    HedgeOptions,
    Pipeline,
    PipelineOptions,
    RateLimitOptions,
    RetryOptions,
    SheddingOptions,
    TimeoutOptions,
    call_context,
)

ROUNDS = 20
BARE_CALLS = 100_000
#: Calls per round of our rows, and of the slower peers'.
CALLS, PEER_CALLS = 5_000, 1_000

Call = Callable[[], Awaitable[object]]

FULL = PipelineOptions(
    deadline=DeadlineOptions(seconds=3_600.0, enforce=False),
    retry=RetryOptions(),
    budget=BudgetOptions(),
    breaker=BreakerOptions(),
    bulkhead=BulkheadOptions(),
)
TIMED = replace(FULL, timeout=TimeoutOptions(30.0))
EVERYTHING = replace(
    TIMED,
    shedding=SheddingOptions(),
    rate_limit=RateLimitOptions(per_second=1e9, burst=1_000_000),
    adaptive=AdaptiveOptions(),
)
#: Goals as ratios to a bare await.
GOALS = {"full, attempt timer": 45.0, "full, deadline check": 22.0, "rejection, open breaker": 15.0}
#: How much faster than the quickest peer the full pipeline is to be.
PEER_GOAL = 3.0


async def nothing() -> None:
    """The call that is guarded."""


@dataclass
class Row:
    """One thing that is measured."""

    name: str
    call: Call
    calls: int = CALLS
    rejected_by: type[Exception] | None = None
    best: float = float("inf")

    async def round(self) -> None:
        """Measure one round, in seconds per call."""
        call, rejection = self.call, self.rejected_by
        started = time.thread_time()
        if rejection is None:
            for _ in range(self.calls):
                await call()
        else:
            for _ in range(self.calls):
                try:  # noqa: SIM105 - a context manager would cost as much as the rejection
                    await call()
                except rejection:
                    pass
        self.best = min(self.best, (time.thread_time() - started) / self.calls)


def pipeline_row(name: str, options: PipelineOptions, *hooks: Callable[[object], None]) -> Row:
    return Row(name, Pipeline("bench", options, events=Emitter(*hooks)).read(nothing))


def our_rows() -> list[Row]:
    opened = Pipeline("bench", TIMED)
    if opened.breaker is not None:
        opened.breaker.open()
    counted: list[int] = [0]

    def count(_event: object) -> None:
        counted[0] += 1

    return [
        pipeline_row("full, deadline check", FULL),
        pipeline_row("full, attempt timer", TIMED),
        pipeline_row("full, attempt timer, a hook listening", TIMED, count),
        pipeline_row("full + shedding, rate and adaptive limit", EVERYTHING),
        Row("rejection, open breaker", opened.read(nothing), rejected_by=CircuitOpen),
    ]


class _Bytes:
    def encode(self, value: None) -> bytes:  # noqa: ARG002
        return b""

    def decode(self, data: bytes) -> None:  # noqa: ARG002
        return None


async def _anybody() -> bool:
    return True


def single_rows() -> list[Row]:
    """Each policy by itself in a pipeline; the pipeline alone comes first."""
    limits = BulkheadOptions()
    only = {
        "deadline": PipelineOptions(deadline=FULL.deadline),
        "shedding (and bulkhead)": PipelineOptions(shedding=SheddingOptions(), bulkhead=limits),
        "rate limit": PipelineOptions(rate_limit=EVERYTHING.rate_limit),
        "retry and budget": PipelineOptions(retry=RetryOptions(), budget=BudgetOptions()),
        "hedge and budget": PipelineOptions(hedge=HedgeOptions(), budget=BudgetOptions()),
        "breaker": PipelineOptions(breaker=BreakerOptions()),
        "bulkhead": PipelineOptions(bulkhead=limits),
        "adaptive limit": PipelineOptions(adaptive=AdaptiveOptions()),
        "attempt timeout": PipelineOptions(timeout=TimeoutOptions(30.0)),
    }
    rows = [pipeline_row("no policy", PipelineOptions())]
    rows += [pipeline_row(name, options) for name, options in only.items()]
    flight = Pipeline("bench", PipelineOptions(single_flight=True))
    copies = Pipeline("bench", PipelineOptions(fallback=FallbackOptions()))
    key = CopyKey("bench.v1", "entity", "owner")
    rows.append(Row("single flight", flight.read(nothing, key=lambda: "key")))
    served = copies.served(nothing, key=lambda: key, codec=_Bytes(), authorise=_anybody)
    rows.append(Row("fallback (keeping a copy)", served))
    timed = CallDeadline("bench", DeadlineOptions(seconds=30.0))
    rows.append(Row("deadline alone, enforced by a timer", timed.wrap(nothing)))
    return rows


def hyx_row() -> Row:
    bulkhead = importlib.import_module("hyx.bulkhead").bulkhead
    breaker = importlib.import_module("hyx.circuitbreaker").consecutive_breaker
    retry = importlib.import_module("hyx.retry").retry
    timeout = importlib.import_module("hyx.timeout").timeout
    call = timeout(30.0)(nothing)
    call = bulkhead(max_concurrency=32, max_capacity=64)(call)
    call = breaker(failure_threshold=5)(call)
    return Row("hyx", retry(on=OSError, attempts=3)(call), PEER_CALLS)


def pyresilience_row() -> Row:
    library = importlib.import_module("pyresilience")
    guard = library.resilient(
        retry=library.RetryConfig(max_attempts=3),
        timeout=library.TimeoutConfig(seconds=30.0, per_attempt=True),
        circuit_breaker=library.CircuitBreakerConfig(
            sliding_window_size=100, minimum_calls=20, slow_call_duration=1.0
        ),
        bulkhead=library.BulkheadConfig(max_concurrent=32),
    )
    return Row("pyresilience", guard(nothing), PEER_CALLS)


def interlock_row() -> Row:
    library = importlib.import_module("interlock")
    breaker = library.CircuitBreaker(
        name="bench",
        config=library.Config(slow_call_duration_threshold=1.0, minimum_number_of_calls=20),
    )
    guard = (
        library.Pipeline.builder()
        .retry(attempts=3)
        .circuit_breaker(breaker)
        .bulkhead(32)
        .timeout(30.0)
        .build()
    )
    return Row("interlock-cb", guard(nothing), PEER_CALLS)


def naive_row() -> Row:
    """What one writes without a library: asyncio, tenacity's decorator and pybreaker's block."""
    tenacity = importlib.import_module("tenacity")
    breaker = pybreaker.CircuitBreaker(fail_max=5)
    slots = asyncio.Semaphore(32)

    async def guarded() -> None:
        async with slots, asyncio.timeout(30.0):
            with breaker.calling():
                await nothing()

    retried = tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)(guarded)
    return Row("by hand: asyncio, tenacity, pybreaker", retried, PEER_CALLS)


def peer_rows() -> list[Row]:
    rows = []
    for make in (hyx_row, pyresilience_row, interlock_row, naive_row):
        try:
            rows.append(make())
        except ImportError as error:
            name = make.__name__.removesuffix("_row")
            print(f"not measured: {name} is not installed here ({error.name}); see the top of")
            print("              benchmarks/resilience.py for how to install the peers")
    return rows


async def garbage(call: Call) -> int:
    """Objects that only the cyclic collector could free, after 10,000 calls."""
    await call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10_000):
            await call()
        return gc.collect()
    finally:
        gc.enable()


def report(title: str, rows: list[Row], bare: float) -> None:
    print(f"\n{title:42}     µs   × bare")
    for row in rows:
        ratio = row.best / bare
        goal = GOALS.get(row.name)
        verdict = (
            "" if goal is None else f"   goal ≤ {goal:g}: {'met' if ratio <= goal else 'NOT MET'}"
        )
        print(f"{row.name:42} {row.best * 1e6:6.2f}   {ratio:6.1f}{verdict}")


async def measure() -> None:
    bare = Row("bare await", nothing, BARE_CALLS)
    ours, singles, peers = our_rows(), single_rows(), peer_rows()
    for _ in range(ROUNDS):
        for row in (bare, *ours, *singles, *peers):
            await row.round()
    report("ours", [bare, *ours], bare.best)
    report("others, composed alike", peers, bare.best)
    report("each policy by itself", singles, bare.best)
    full = next(row for row in ours if row.name == "full, attempt timer")
    libraries = [row for row in peers if not row.name.startswith("by hand")]
    if libraries:
        quickest = min(libraries, key=lambda row: row.best)
        factor = quickest.best / full.best
        verdict = "met" if factor >= PEER_GOAL else "NOT MET"
        print(f"\nfull, attempt timer: {factor:.1f} × faster than {quickest.name}", end="")
        print(f"   goal ≥ {PEER_GOAL:g}: {verdict}")
    left = await garbage(full.call)
    print(f"cyclic garbage after 10,000 good calls: {left} objects   goal 0: ", end="")
    print("met" if left == 0 else "NOT MET")


async def main() -> None:
    print(f"Python {sys.version.split()[0]}, asyncio's own loop, best of {ROUNDS} rounds")
    with call_context(deadline=Deadline.after(3_000.0)):
        await measure()


if __name__ == "__main__":
    asyncio.run(main())
