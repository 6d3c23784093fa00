"""Retry: what is tried again, when, and how often at most."""

import asyncio
import random

import pytest

from resilience.budget import BudgetOptions, RetryBudget
from resilience.context import Effect, call_context
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.errors import BulkheadFull
from resilience.events import CallRetried, RetryGivenUp
from resilience.options import InvalidOptionsError
from resilience.retry import Retry, RetryOptions
from resilience.testing import FakeClock, ScriptedCall, settle

from .conftest import NoGarbage, Recorder, run_plainly

DOWN = ConnectionError("down")


class Busy(Exception):
    """The dependency asks for patience."""

    retryable = True

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after


def make(clock: FakeClock, **options: object) -> Retry:
    return Retry("users", RetryOptions(**options), clock=clock, rng=random.Random(3))  # type: ignore[arg-type]


async def played(clock: FakeClock, retry: Retry, call: ScriptedCall[str]) -> str | BaseException:
    """The outcome of a retried call, with all the time that it takes."""
    task = asyncio.create_task(retry.call(call))
    await clock.advance(600)
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    return outcome


async def test_a_lost_connection_is_mended_by_another_try(clock: FakeClock) -> None:
    """Failures that may go away are tried again, up to the attempts in all."""
    call = ScriptedCall[str]([DOWN, DOWN, "fine"], clock=clock)
    assert await played(clock, make(clock, attempts=3), call) == "fine"
    assert call.calls == 3


async def test_the_last_attempts_own_error_is_raised(clock: FakeClock) -> None:
    """When attempts run out, the caller sees the dependency's error and nothing wrapped."""
    last = ConnectionError("the last")
    call = ScriptedCall[str]([DOWN, DOWN, last], clock=clock)
    assert await played(clock, make(clock, attempts=3), call) is last


@pytest.mark.parametrize("error", [ValueError("a bug"), BulkheadFull("users"), DeadlineExceeded()])
async def test_what_another_try_cannot_mend_is_not_tried_again(
    clock: FakeClock, error: Exception
) -> None:
    """Bugs, rejections and passed deadlines are raised at once."""
    call = ScriptedCall[str]([error], clock=clock)
    assert await played(clock, make(clock), call) is error
    assert call.calls == 1


async def test_an_unmendable_error_ends_the_retries(clock: FakeClock) -> None:
    """The second attempt's bug is raised although attempts are left."""
    bug = ValueError("a bug")
    call = ScriptedCall[str]([DOWN, bug, "never"], clock=clock)
    assert await played(clock, make(clock, attempts=5), call) is bug
    assert call.calls == 2


async def test_cancellation_is_never_retried(clock: FakeClock) -> None:
    """Cancelled in the first attempt, in a later one or in a wait: it ends there."""
    for moment in (0.2, 0.9, 2.0):
        call = ScriptedCall[str]([DOWN], clock=clock, takes=0.5)
        task = asyncio.create_task(
            make(clock, attempts=10, wait_seconds=1.0, jitter="decorrelated").call(call)
        )
        await clock.advance(moment)
        calls = call.calls
        task.cancel()
        await clock.advance(60)
        assert task.cancelled()
        assert call.calls == calls


@pytest.mark.parametrize("asked", [0.001, 0.25, 1.0, 1.0004, 1.1, 2.345, 4.9999])
async def test_retry_after_is_honoured_to_the_millisecond(clock: FakeClock, asked: float) -> None:
    """The retry comes when the dependency asked for it: rounded up to a millisecond, never early."""
    call = ScriptedCall[str]([Busy(asked), "fine"], clock=clock)
    assert await played(clock, make(clock, wait_seconds=0.0), call) == "fine"
    waited = call.started[1] - call.started[0]
    assert asked - 1e-9 <= waited < asked + 0.001
    assert round(waited * 1_000, 6) == pytest.approx(round(waited * 1_000), abs=1e-6)


async def test_a_longer_wait_of_ours_outlasts_retry_after(clock: FakeClock) -> None:
    """It is the longer of the jittered wait and what was asked for."""
    call = ScriptedCall[str]([Busy(0.001), "fine"], clock=clock)
    retry = make(clock, wait_seconds=0.5, jitter="decorrelated")
    assert await played(clock, retry, call) == "fine"
    assert call.started[1] - call.started[0] >= 0.5


async def test_who_asks_for_too_much_patience_is_not_waited_for(
    clock: FakeClock, recorder: Recorder
) -> None:
    """A Retry-After beyond the maximum is raised at once, even where waits may be longer."""
    retry = make(clock, retry_after_max_seconds=0.5, wait_max_seconds=60.0)
    retry.events = recorder
    call = ScriptedCall[str]([Busy(0.6), "never"], clock=clock)
    assert isinstance(await played(clock, retry, call), Busy)
    assert [event.reason for event in recorder.events if isinstance(event, RetryGivenUp)] == [
        "retry-after"
    ]


async def test_no_retry_begins_that_could_not_end_before_the_deadline(
    clock: FakeClock, recorder: Recorder
) -> None:
    """With the wait and an attempt not fitting in, the first error is raised at once."""
    retry = make(clock, attempt_seconds=0.5, attempts=10)
    retry.events = recorder
    call = ScriptedCall[str]([Busy(1.0), "never"], clock=clock)
    with call_context(deadline=Deadline.after(1.4, clock)):
        task = asyncio.create_task(retry.call(call))
        await settle()
        assert task.done()
        with pytest.raises(Busy):
            await task
    (given_up,) = recorder.of(RetryGivenUp)
    assert isinstance(given_up, RetryGivenUp)
    assert given_up.reason == "deadline"


async def test_waits_have_full_jitter_below_a_growing_bound(clock: FakeClock) -> None:
    """Waits spread over the whole of 0 … 0.1 × 2ⁿ, up to the maximum."""
    waits: list[list[float]] = [[], [], [], []]
    for seed in range(40):
        call = ScriptedCall[str]([DOWN], clock=clock)
        retry = make(clock, attempts=5, wait_seconds=0.1, wait_max_seconds=0.4)
        retry.random = random.Random(seed).random
        await played(clock, retry, call)
        for number in range(4):
            waits[number].append(call.started[number + 1] - call.started[number])
    for bound, seen in zip((0.1, 0.2, 0.4, 0.4), waits, strict=True):
        assert max(seen) <= bound + 1e-9
        assert max(seen) > 0.9 * bound
        assert min(seen) < 0.1 * bound


async def test_decorrelated_waits_are_never_near_zero(clock: FakeClock) -> None:
    """Each lies between the first wait and three times the one before, up to the maximum."""
    for seed in range(20):
        call = ScriptedCall[str]([DOWN], clock=clock)
        retry = make(
            clock, attempts=6, wait_seconds=0.1, wait_max_seconds=1.0, jitter="decorrelated"
        )
        retry.random = random.Random(seed).random
        await played(clock, retry, call)
        last = 0.1
        for before, after in zip(call.started, call.started[1:], strict=False):
            assert 0.1 - 1e-9 <= after - before <= min(1.0, 3 * last) + 1e-9
            last = after - before


async def test_a_mutation_is_retried_only_under_an_idempotency_key(
    clock: FakeClock, recorder: Recorder
) -> None:
    """Without a key the first error is raised and told; with one it is tried again."""
    options = RetryOptions(wait_seconds=0.0)
    retry = Retry("ledger", options, clock=clock, effect=Effect.MUTATION, events=recorder)
    call = ScriptedCall[str]([DOWN, "posted"], clock=clock)
    with pytest.raises(ConnectionError):
        await retry.call(call)
    (given_up,) = recorder.of(RetryGivenUp)
    assert isinstance(given_up, RetryGivenUp)
    assert given_up.reason == "no-key"
    call = ScriptedCall[str]([DOWN, "posted"], clock=clock)
    with call_context(idempotency_key="k-1"):
        assert await played(clock, retry, call) == "posted"


async def test_a_token_is_taken_before_the_wait_and_given_back_when_it_is_cancelled(
    clock: FakeClock,
) -> None:
    """While a retry waits its token is gone; a retry that is never made costs none."""
    budget = RetryBudget(BudgetOptions(minimum_per_second=0), clock=clock)
    budget.tokens = 1.0
    retry = Retry(
        "users", RetryOptions(wait_seconds=1.0, jitter="decorrelated"), budget=budget, clock=clock
    )
    task = asyncio.create_task(retry.call(ScriptedCall[str]([DOWN], clock=clock)))
    await settle()
    assert not budget.reserve()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert budget.reserve()


async def test_a_call_without_budget_raises_its_own_error_at_once(
    clock: FakeClock, recorder: Recorder
) -> None:
    """An exhausted budget is no error of its own."""
    budget = RetryBudget(BudgetOptions(minimum_per_second=0), clock=clock)
    retry = Retry("users", budget=budget, clock=clock, events=recorder)
    call = ScriptedCall[str]([DOWN], clock=clock)
    with pytest.raises(ConnectionError):
        await retry.call(call)
    assert call.calls == 1
    assert [event.reason for event in recorder.events if isinstance(event, RetryGivenUp)] == [
        "budget"
    ]


async def test_attempts_and_deadline_are_asked_before_the_budget(clock: FakeClock) -> None:
    """What will not be retried anyway takes no token."""
    budget = RetryBudget(BudgetOptions(minimum_per_second=0), clock=clock)
    budget.tokens = 1.0
    retry = Retry("users", RetryOptions(attempts=1), budget=budget, clock=clock)
    with pytest.raises(ConnectionError):
        await retry.call(ScriptedCall[str]([DOWN]))
    assert budget.reserve()
    budget.refund()
    retry.reconfigure(RetryOptions(attempts=3))
    with call_context(deadline=Deadline.after(0.001, clock)), pytest.raises(ConnectionError):
        await retry.call(ScriptedCall[str]([DOWN]))
    assert budget.reserve()


def test_a_total_outage_is_amplified_by_less_than_a_fifth(clock: FakeClock) -> None:
    """10,000 calls at 100 a second, all failing: at most 1.2 attempts per call."""
    budget = RetryBudget(clock=clock)
    retry = Retry("users", RetryOptions(attempts=4), budget=budget, clock=clock)
    call = ScriptedCall[str]([DOWN], clock=clock)
    calls = 10_000

    async def instant(seconds: float) -> None:
        """Waits cost no time here, which is the harder case: no token trickles in meanwhile."""

    async def outage() -> None:
        for _ in range(calls):
            clock.jump(0.01)
            with pytest.raises(ConnectionError):
                await retry.call(call)

    clock.sleep = instant  # type: ignore[method-assign]
    run_plainly(outage())
    amplification = call.calls / calls
    assert 1.05 < amplification <= 1.2


async def test_many_calls_share_one_policy_and_none_loses_a_failure(clock: FakeClock) -> None:
    """Thirty concurrent calls each get their own outcome and their own attempts."""
    retry = make(clock, attempts=3)

    async def flaky(number: int, state: dict[int, int]) -> int:
        state[number] = state.get(number, 0) + 1
        await clock.sleep(0.01)
        if number % 2 or state[number] < 3:
            raise ConnectionError(str(number))
        return number

    state: dict[int, int] = {}
    tasks = [asyncio.create_task(retry.call(flaky, n, state)) for n in range(30)]
    await clock.advance(60)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for number, outcome in enumerate(outcomes):
        if number % 2:
            assert str(outcome) == str(number)
        else:
            assert outcome == number
    assert set(state.values()) == {3}


async def test_each_retry_is_told_with_its_wait(clock: FakeClock, recorder: Recorder) -> None:
    """One event per retry, before its wait."""
    retry = make(clock, attempts=3)
    retry.events = recorder
    await played(clock, retry, ScriptedCall[str]([DOWN, DOWN, "fine"], clock=clock))
    retried = [event for event in recorder.events if isinstance(event, CallRetried)]
    assert [event.attempt for event in retried] == [1, 2]
    assert all(event.error is DOWN for event in retried)


def test_success_leaves_no_cyclic_garbage(clock: FakeClock) -> None:
    """A thousand good calls give the collector nothing to do."""
    retry = make(clock)
    call = ScriptedCall[str](["fine"])

    async def calls() -> None:
        await retry.call(call)
        with NoGarbage():
            for _ in range(1_000):
                await retry.call(call)

    run_plainly(calls())


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"attempts": 11}, {"wait_max_seconds": 0.01}, {"jitter": "none"}]
)
def test_retries_that_would_storm_are_refused(wrong: dict[str, object]) -> None:
    """Attempts are bounded, and waits and jitter must make sense."""
    with pytest.raises(InvalidOptionsError):
        RetryOptions(**wrong)  # type: ignore[arg-type]


async def test_a_retry_that_was_turned_away_costs_no_token(clock: FakeClock) -> None:
    """A breaker that opened meanwhile kept it from being made: the token is there again."""
    budget = RetryBudget(BudgetOptions(minimum_per_second=0, ratio=0), clock=clock)
    budget.tokens = 1.0
    retry = Retry("users", budget=budget, clock=clock)
    rejection = BulkheadFull("users")
    call = ScriptedCall[str]([DOWN, rejection], clock=clock)
    assert await played(clock, retry, call) is rejection
    assert call.calls == 2
    assert budget.tokens == 1.0
    call = ScriptedCall[str]([DOWN, rejection], clock=clock)
    assert await played(clock, make(clock), call) is rejection


@pytest.mark.parametrize(
    ("asked", "calls"), [(float("inf"), 1), (float("nan"), 2), (-1.0, 2), (float("-inf"), 2)]
)
async def test_a_retry_after_that_is_no_time_hides_no_error(
    clock: FakeClock, asked: float, calls: int
) -> None:
    """For ever is longer than any patience; what is no time at all is not heeded."""
    busy = Busy(asked)
    call = ScriptedCall[str]([busy], clock=clock)
    assert await played(clock, make(clock, attempts=2), call) is busy
    assert call.calls == calls


async def test_what_no_retry_can_mend_never_reaches_tenacity(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt runs inline, and so does its end: nothing is built for what is final."""

    def build(**_: object) -> None:
        raise AssertionError("built for nothing")

    monkeypatch.setattr("resilience.retry.AsyncRetrying", build)
    with pytest.raises(ValueError, match="a bug"):
        await make(clock).call(ScriptedCall[str]([ValueError("a bug")]))


async def test_every_end_is_told_with_its_attempt_and_error(
    clock: FakeClock, recorder: Recorder
) -> None:
    """Whose call it was, which attempt was the last, why, and what it ended in."""
    retry = make(clock, attempts=2, wait_seconds=0.5, jitter="decorrelated")
    retry.events = recorder
    last = ConnectionError("the last")
    call = ScriptedCall[str]([DOWN, last], clock=clock)
    assert await played(clock, retry, call) is last
    (retried,) = recorder.of(CallRetried)
    assert isinstance(retried, CallRetried)
    assert (retried.source, retried.attempt, retried.error) == ("users", 1, DOWN)
    assert retried.wait == pytest.approx(call.started[1] - call.started[0])
    assert recorder.of(RetryGivenUp) == [RetryGivenUp("users", 2, "attempts", last)]
    recorder.events.clear()
    mutation = Retry("ledger", clock=clock, effect=Effect.MUTATION, events=recorder)
    assert await played(clock, mutation, ScriptedCall[str]([DOWN])) is DOWN
    assert recorder.events == [RetryGivenUp("ledger", 1, "no-key", DOWN)]


@pytest.mark.parametrize(("seconds", "calls"), [(1.5, 1), (1.501, 2)])
async def test_an_attempt_that_would_end_with_the_deadline_is_not_made(
    clock: FakeClock, seconds: float, calls: int
) -> None:
    """The wait and the attempt must leave something of the time, however little."""
    call = ScriptedCall[str]([Busy(1.0), "fine"], clock=clock)
    retry = make(clock, attempt_seconds=0.5, wait_seconds=0.0)
    with call_context(deadline=Deadline.after(seconds, clock)):
        await played(clock, retry, call)
    assert call.calls == calls


async def test_patience_lasts_exactly_as_long_as_configured(clock: FakeClock) -> None:
    """A Retry-After of exactly the maximum is waited for."""
    call = ScriptedCall[str]([Busy(0.5), "fine"], clock=clock)
    retry = make(clock, wait_seconds=0.0, retry_after_max_seconds=0.5)
    assert await played(clock, retry, call) == "fine"
