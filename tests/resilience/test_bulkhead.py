"""The bulkhead: slots, a short queue, and nothing lost between them."""

import asyncio

import pytest

from resilience.bulkhead import Bulkhead, BulkheadOptions
from resilience.context import call_context
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.errors import BulkheadFull
from resilience.events import CallRejected
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, settle

from .conftest import Recorder


def make(clock: FakeClock, concurrent: int = 2, queue: int = 2, seconds: float = 1.0) -> Bulkhead:
    return Bulkhead("users", BulkheadOptions(concurrent, queue, seconds), clock=clock)


async def test_no_more_calls_run_than_there_are_slots(clock: FakeClock) -> None:
    """Two run, two wait, and the fifth is turned away at once."""
    bulkhead = make(clock)
    gate = asyncio.Event()
    running = [asyncio.create_task(bulkhead.call(gate.wait)) for _ in range(4)]
    await settle()
    assert (bulkhead.in_flight, bulkhead.queued, bulkhead.load) == (2, 2, 1.0)
    with pytest.raises(BulkheadFull, match="2 in flight, 2 waiting") as caught:
        await bulkhead.call(gate.wait)
    assert caught.value.retry_after == 1.0
    gate.set()
    assert await asyncio.gather(*running) == [True] * 4
    assert (bulkhead.in_flight, bulkhead.queued) == (0, 0)


async def test_a_free_slot_goes_to_who_waited_longest_and_not_to_a_newcomer(
    clock: FakeClock,
) -> None:
    """Waiters are served in order, and nobody slips in between."""
    bulkhead = make(clock, concurrent=1, queue=10)
    order: list[int] = []

    async def work(number: int) -> None:
        order.append(number)
        await asyncio.sleep(0)

    tasks = [asyncio.create_task(bulkhead.call(work, number)) for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(bulkhead.call(work, 3)))
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]


async def test_nobody_waits_longer_than_the_queues_patience(clock: FakeClock) -> None:
    """A waiter that got no slot in time is turned away, and its place is free again."""
    bulkhead = make(clock, concurrent=1, queue=1, seconds=1.0)
    gate = asyncio.Event()
    running = asyncio.create_task(bulkhead.call(gate.wait))
    waiting = asyncio.create_task(bulkhead.call(gate.wait))
    await clock.advance(0.99)
    assert not waiting.done()
    await clock.advance(0.01)
    with pytest.raises(BulkheadFull, match=r"no slot within 1\.0 s"):
        await waiting
    assert bulkhead.queued == 0
    gate.set()
    await running


async def test_nobody_waits_past_the_own_deadline(clock: FakeClock) -> None:
    """When the deadline comes before the queue's patience ends, it is the deadline that ended."""
    bulkhead = make(clock, concurrent=1, seconds=5.0)
    gate = asyncio.Event()
    running = asyncio.create_task(bulkhead.call(gate.wait))
    await settle()
    with call_context(deadline=Deadline.after(0.5, clock)):
        waiting = asyncio.create_task(bulkhead.call(gate.wait))
    await clock.advance(0.5)
    with pytest.raises(DeadlineExceeded):
        await waiting
    gate.set()
    await running
    assert bulkhead.in_flight == 0


async def test_a_cancelled_waiter_takes_no_slot_with_it(clock: FakeClock) -> None:
    """Cancelled while it waits, or in the moment in which the slot is handed to it."""
    for at_once in (False, True):
        bulkhead = make(clock, concurrent=1)
        await bulkhead.acquire()
        waiter = asyncio.create_task(bulkhead.acquire())
        await settle()
        if at_once:
            bulkhead.release()
            waiter.cancel()
        else:
            waiter.cancel()
            await settle()
            bulkhead.release()
        await asyncio.gather(waiter, return_exceptions=True)
        assert waiter.cancelled()
        assert (bulkhead.in_flight, bulkhead.queued) == (0, 0)


async def test_a_failing_or_cancelled_call_gives_its_slot_back(clock: FakeClock) -> None:
    """However a call ends, its slot is free again."""
    bulkhead = make(clock, concurrent=1)

    async def fails() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await bulkhead.call(fails)
    hanging = asyncio.create_task(bulkhead.call(asyncio.Event().wait))
    await settle()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert bulkhead.in_flight == 0


async def test_more_slots_let_waiters_in_and_fewer_let_calls_finish(clock: FakeClock) -> None:
    """Reconfiguring works on a full bulkhead, in both directions."""
    bulkhead = make(clock, concurrent=1, queue=5)
    gate = asyncio.Event()
    calls = [asyncio.create_task(bulkhead.call(gate.wait)) for _ in range(4)]
    await settle()
    bulkhead.reconfigure(BulkheadOptions(3, 5, 1.0))
    assert (bulkhead.in_flight, bulkhead.queued) == (3, 1)
    bulkhead.reconfigure(BulkheadOptions(1, 5, 1.0))
    assert not bulkhead.try_acquire()
    gate.set()
    await asyncio.gather(*calls)
    assert (bulkhead.in_flight, bulkhead.queued) == (0, 0)
    assert bulkhead.try_acquire()
    assert not bulkhead.try_acquire()


async def test_who_is_turned_away_is_told_of(clock: FakeClock, recorder: Recorder) -> None:
    """One event per rejection."""
    bulkhead = Bulkhead("users", BulkheadOptions(1, 0), clock=clock, events=recorder)
    await bulkhead.acquire()
    with pytest.raises(BulkheadFull):
        await bulkhead.acquire()
    assert recorder.events == [CallRejected("users", "bulkhead", "BulkheadFull", 0.1)]


@pytest.mark.parametrize(
    "wrong", [{"max_concurrent": 0}, {"max_queue": -1}, {"queue_seconds": -0.1}]
)
def test_a_bulkhead_that_lets_nothing_through_is_refused(wrong: dict[str, float]) -> None:
    """Zero slots and negative bounds make no sense."""
    with pytest.raises(InvalidOptionsError):
        BulkheadOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", ["release", "reload"])
async def test_a_slot_that_comes_right_after_a_cancellation_is_not_lost(
    clock: FakeClock, by: str
) -> None:
    """A waiter cancelled in this turn of the loop is passed over: the next one gets the slot."""
    bulkhead = make(clock, concurrent=1)
    await bulkhead.acquire()
    cancelled, waits = (asyncio.create_task(bulkhead.acquire()) for _ in range(2))
    await settle()
    cancelled.cancel()
    if by == "release":
        bulkhead.release()
    else:
        bulkhead.reconfigure(BulkheadOptions(2, 2, 1.0))
    await settle()
    assert cancelled.cancelled()
    assert waits.done()
    assert (bulkhead.in_flight, bulkhead.queued) == (1 if by == "release" else 2, 0)


async def test_a_slot_that_only_a_cancelled_call_waited_for_is_free(clock: FakeClock) -> None:
    """With nobody left to hand it to, the slot goes back, and the next call gets it at once."""
    bulkhead = make(clock, concurrent=1)
    await bulkhead.acquire()
    cancelled = asyncio.create_task(bulkhead.acquire())
    await settle()
    cancelled.cancel()
    bulkhead.release()
    assert bulkhead.try_acquire()
    await settle()
    assert cancelled.cancelled()
    assert (bulkhead.in_flight, bulkhead.queued) == (1, 0)


@pytest.mark.parametrize("seconds", [1.0, 5.0])
async def test_a_deadline_that_is_not_earlier_leaves_the_queue_its_patience(
    clock: FakeClock, seconds: float
) -> None:
    """The queue gives up at its own time, and says that it was the queue."""
    bulkhead = make(clock, concurrent=1, seconds=1.0)
    await bulkhead.acquire()
    waiter = asyncio.create_task(bulkhead.acquire(Deadline.after(seconds, clock)))
    await clock.advance(0.999)
    assert not waiter.done()
    await clock.advance(0.001)
    with pytest.raises(BulkheadFull, match=r"no slot within 1\.0 s"):
        await waiter


async def test_a_deadline_that_passes_in_the_queue_says_where(clock: FakeClock) -> None:
    """The error names the dependency and the place."""
    bulkhead = make(clock, concurrent=1)
    await bulkhead.acquire()
    waiter = asyncio.create_task(bulkhead.acquire(Deadline.after(0.5, clock)))
    await clock.advance(0.5)
    with pytest.raises(
        DeadlineExceeded, match=r"^users: the deadline passed in the bulkhead's queue$"
    ):
        await waiter
