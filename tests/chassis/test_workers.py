"""Background work comes back after a failure and leaves in time."""

import asyncio
import random

import pytest

from chassis import workers
from chassis.workers import Workers
from resilience.testing import FakeClock
from tests.waiting import eventually


class Job:
    """Fails `failures` times, then works until told to stop, or longer if `stubborn`."""

    def __init__(self, name: str = "job", failures: int = 0, stubborn: bool = False) -> None:
        self.name = name
        self.failures = failures
        self.stubborn = stubborn
        self.runs = 0
        self.ended = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise RuntimeError("broken")
        await stop.wait()
        if self.stubborn:
            await asyncio.Event().wait()
        self.ended.set()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FIRST_BACKOFF", 0.005)
    monkeypatch.setattr(workers, "STOP_TIMEOUT", 0.2)


async def test_a_worker_runs_until_the_process_stops() -> None:
    """It starts with the block, and its end is awaited when the block is left."""
    job = Job()
    async with Workers([job]).running():
        await eventually(lambda: job.runs == 1)
        assert not job.ended.is_set()
    assert job.ended.is_set()


async def test_a_failed_worker_is_restarted() -> None:
    """A failure is remembered only until the worker works again or ends well."""
    job, other = Job(failures=3), Job("other")
    staff = Workers([job, other], rng=random.Random(1))
    async with staff.running():
        await eventually(lambda: job.runs == 4)
        assert other.runs == 1
    assert job.ended.is_set()
    assert staff.failing == set()


async def test_one_that_does_not_stop_is_cancelled() -> None:
    """Shutdown is bounded, whatever a worker does."""
    job = Job(stubborn=True)
    async with asyncio.timeout(5):
        async with Workers([job]).running():
            await eventually(lambda: job.runs == 1)
    assert not job.ended.is_set()


async def test_a_long_success_resets_the_backoff() -> None:
    """A worker that failed after a good while is restarted as soon as one that failed first."""
    clock = FakeClock()
    waits: list[float] = []

    class LateFailure(Job):
        async def run(self, stop: asyncio.Event) -> None:
            self.runs += 1
            if self.runs > 4:
                await stop.wait()
                return
            if self.runs == 4:
                clock._now += workers.MAX_BACKOFF + 1
            raise RuntimeError

    async def record(event: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)

    job = LateFailure()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "_wait", record)
        async with Workers([job], clock=clock, rng=random.Random(1)).running():
            await eventually(lambda: job.runs == 5)
    assert waits[1] > workers.FIRST_BACKOFF
    assert waits[3] <= workers.FIRST_BACKOFF
