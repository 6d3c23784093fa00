"""The attempt timeout: it ends attempts at their time, and tells whose time was up."""

import asyncio
import contextlib

import pytest

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.context import call_context, current_deadline
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.errors import AttemptTimedOut
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, settle
from resilience.timeout import AttemptTimeout, TimeoutOptions

from .conftest import NoGarbage, run_plainly


def make(clock: FakeClock, seconds: float = 1.0) -> AttemptTimeout:
    return AttemptTimeout("users", TimeoutOptions(seconds), clock=clock)


async def forever() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


async def test_an_attempt_ends_at_its_time_and_says_so(clock: FakeClock) -> None:
    """Not before, and with an error that is the dependency's fault and a TimeoutError."""
    task = asyncio.create_task(make(clock).call(clock.sleep, 60))
    await clock.advance(0.999)
    assert not task.done()
    await clock.advance(0.001)
    with pytest.raises(AttemptTimedOut, match=r"users: no answer within 1\.0 s") as caught:
        await task
    assert isinstance(caught.value, TimeoutError)


async def test_an_answer_in_time_is_handed_on(clock: FakeClock) -> None:
    """A call that is fast enough is not touched, and leaves no timer that matters."""
    timeout = make(clock)

    async def answer() -> str:
        await clock.sleep(0.5)
        return "fine"

    task = asyncio.create_task(timeout.call(answer))
    await clock.advance(0.5)
    assert await task == "fine"
    await clock.advance(10)


async def test_attempts_that_began_apart_end_apart(clock: FakeClock) -> None:
    """One timer serves them all, and each still ends at exactly its own time."""
    timeout = make(clock)
    ended: list[tuple[int, float]] = []
    start = clock.monotonic()

    async def attempt(number: int, seconds: float) -> None:
        try:
            await timeout.call(clock.sleep, seconds)
        except AttemptTimedOut:
            ended.append((number, round(clock.monotonic() - start, 3)))

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(attempt(number, 0.25 if number == 2 else 60)))
        await clock.advance(0.1)
    await clock.advance(10)
    await asyncio.gather(*tasks)
    assert ended == [(0, 1.0), (1, 1.1), (3, 1.3), (4, 1.4)]


async def test_when_the_deadline_comes_first_it_is_not_the_dependencys_fault(
    clock: FakeClock,
) -> None:
    """The attempt ends at the deadline, with `DeadlineExceeded`."""
    with call_context(deadline=Deadline.after(0.3, clock)):
        task = asyncio.create_task(make(clock).call(clock.sleep, 60))
    await clock.advance(0.3)
    with pytest.raises(DeadlineExceeded):
        await task


async def test_the_call_knows_how_long_it_has(clock: FakeClock) -> None:
    """Inside an attempt the deadline is the attempt's; outside it is what it was."""
    timeout = make(clock)

    async def left() -> float:
        deadline = current_deadline()
        assert deadline is not None
        return deadline.remaining()

    assert await timeout.call(left) == pytest.approx(1.0)
    with call_context(deadline=Deadline.after(0.2, clock)):
        assert await timeout.call(left) == pytest.approx(0.2)
        outside = current_deadline()
    assert outside is not None
    assert outside.remaining() == pytest.approx(0.2)
    assert current_deadline() is None


async def test_a_cancellation_from_outside_stays_one(clock: FakeClock) -> None:
    """Cancelled before its time, and even in the same turn of the loop, the task is cancelled."""
    for moment in (0.5, 1.0):
        timeout = make(clock)
        task = asyncio.create_task(timeout.call(clock.sleep, 60))
        await settle()
        clock.jump(moment)
        if moment == 1.0:
            clock.call_at(clock.monotonic(), task.cancel)
            fire_all_timers(clock)
        else:
            task.cancel()
        await settle()
        assert task.cancelled()


def fire_all_timers(clock: FakeClock) -> None:
    """Have every timer that is due go off in one turn of the loop."""
    for _, _, timer in sorted(clock._timers, key=lambda entry: entry[:2]):
        timer.go_off()


async def test_an_outer_timeout_stays_a_timeout_error_of_its_own(clock: FakeClock) -> None:
    """`asyncio.timeout` around it ends as ever, and is not taken for ours."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01):
            await make(clock).call(asyncio.sleep, 60)
    assert not isinstance(caught.value, AttemptTimedOut)


async def test_within_an_outer_timeout_ours_is_raised_and_the_rest_goes_on(
    clock: FakeClock,
) -> None:
    """After an attempt timed out, the task can go on: no cancellation is left behind."""
    async with asyncio.timeout(3):
        task = asyncio.current_task()
        assert task is not None
        clock.call_at(clock.monotonic() + 1.0, lambda: None)
        advance = asyncio.create_task(clock.advance(5))
        with pytest.raises(AttemptTimedOut):
            await make(clock).call(clock.sleep, 60)
        assert task.cancelling() == 0
        await advance


async def test_nested_attempts_each_end_by_their_own_time(clock: FakeClock) -> None:
    """An inner timeout is the inner attempt's failure; an outer one passes through the inner."""
    outer, inner = make(clock, 2.0), make(clock, 1.0)

    async def nested() -> str:
        with contextlib.suppress(AttemptTimedOut):
            await inner.call(clock.sleep, 60)
        await clock.sleep(60)
        return "never"

    start = clock.monotonic()
    task = asyncio.create_task(outer.call(nested))
    await clock.advance(5)
    with pytest.raises(AttemptTimedOut, match=r"2\.0 s"):
        await task
    assert clock.monotonic() == start + 5


async def test_a_call_that_ignores_its_end_keeps_its_answer(clock: FakeClock) -> None:
    """Who swallows the cancellation and answers after all is taken at their word."""

    async def stubborn() -> str:
        try:
            await clock.sleep(60)
        except asyncio.CancelledError:
            return "late, but here"
        return "never"

    task = asyncio.create_task(make(clock).call(stubborn))
    await clock.advance(1)
    assert await task == "late, but here"
    assert task.cancelling() == 0


async def test_a_hang_within_the_breaker_counts_as_a_failure(clock: FakeClock) -> None:
    """Timeout inside breaker: five hangs open it, though the callers' deadlines are longer."""
    breaker = CircuitBreaker("users", BreakerOptions(window="consecutive"), clock=clock)
    timeout = make(clock)
    for _ in range(5):
        task = asyncio.create_task(breaker.call_async(timeout.call, clock.sleep, 60))
        await clock.advance(1)
        await asyncio.gather(task, return_exceptions=True)
    assert breaker.epoch.name == "open"


async def test_a_shorter_time_holds_for_attempts_that_begin_after_it(clock: FakeClock) -> None:
    """Reconfiguring leaves attempts under way their time; new ones have the new one."""
    timeout = make(clock, 10.0)
    old = asyncio.create_task(timeout.call(clock.sleep, 60))
    await settle()
    timeout.reconfigure(TimeoutOptions(1.0))
    new = asyncio.create_task(timeout.call(clock.sleep, 60))
    assert timeout.options == TimeoutOptions(1.0)
    await clock.advance(1.0)
    assert not old.done()
    with pytest.raises(AttemptTimedOut, match=r"^users: no answer within 1\.0 s$"):
        await new
    await clock.advance(9.0)
    # It says the time that it had, and not what others have now.
    with pytest.raises(AttemptTimedOut, match=r"^users: no answer within 10\.0 s$"):
        await old


async def test_at_the_same_moment_it_was_the_attempts_time(clock: FakeClock) -> None:
    """The dependency had all that it may take: a deadline that is no earlier excuses nothing."""
    with call_context(deadline=Deadline.after(1.0, clock)):
        task = asyncio.create_task(make(clock).call(clock.sleep, 60))
    await clock.advance(1.0)
    with pytest.raises(AttemptTimedOut):
        await task


async def test_an_attempt_that_its_deadline_ended_says_whose_it_was(clock: FakeClock) -> None:
    """The error names the dependency, and an attempt that ended early leaves no timer."""
    with call_context(deadline=Deadline.after(0.5, clock)):
        task = asyncio.create_task(make(clock).call(clock.sleep, 60))
        early = asyncio.create_task(make(clock).call(clock.sleep, 0.1))
    await clock.advance(0.1)
    await early
    # The other attempt's sleep and its timer.
    assert clock.sleepers == 2
    await clock.advance(0.4)
    with pytest.raises(DeadlineExceeded, match=r"^users: the deadline passed during the call$"):
        await task


def test_a_timer_that_was_left_in_a_closed_loop_serves_nobody() -> None:
    """An attempt that ended early leaves its timer; in the next loop attempts have one that runs."""
    timeout = AttemptTimeout("users", TimeoutOptions(0.02))

    async def ends_early() -> None:
        await timeout.call(asyncio.sleep, 0)

    async def hangs() -> None:
        with pytest.raises(AttemptTimedOut):
            await timeout.call(forever)

    asyncio.run(ends_early())
    asyncio.run(hangs())


def test_a_policy_may_be_used_in_one_loop_after_another(clock: FakeClock) -> None:
    """A loop that was closed with attempts under way does not disturb the next one."""
    timeout = AttemptTimeout("users", TimeoutOptions(0.01))

    async def ends() -> None:
        with pytest.raises(AttemptTimedOut):
            await timeout.call(forever)

    for _ in range(3):
        asyncio.run(ends())


def test_success_leaves_nothing_behind(clock: FakeClock) -> None:
    """A thousand attempts leave no entry, one timer at most, and no cyclic garbage."""
    timeout = make(clock)

    async def answer() -> None:
        return None

    async def calls() -> None:
        await timeout.call(answer)
        with NoGarbage():
            for _ in range(1_000):
                await timeout.call(answer)
        assert timeout._queue is not None
        assert not timeout._queue.pending
        assert clock.sleepers == 1
        await clock.advance(5)
        assert clock.sleepers == 0

    run_plainly(calls())


@pytest.mark.parametrize("seconds", [0.0, -1.0, 3_601.0, float("nan")])
def test_a_time_in_which_nothing_can_answer_is_refused(seconds: float) -> None:
    """Zero, negative, absurd and NaN seconds are no timeout."""
    with pytest.raises(InvalidOptionsError):
        TimeoutOptions(seconds)
