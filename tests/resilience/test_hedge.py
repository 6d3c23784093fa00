"""Hedging: a second try beside a slow one, the first answer wins, and nothing is left behind."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.budget import BudgetOptions, RetryBudget
from resilience.context import call_context, current_deadline
from resilience.deadline import Deadline
from resilience.errors import BulkheadFull
from resilience.events import CallHedged
from resilience.hedge import Hedge, HedgeOptions
from resilience.latency import RecentLatency
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, settle

from .conftest import NoGarbage, Recorder, run_plainly

#: Hedges after a tenth of a second until it knows better.
TENTH = HedgeOptions(minimum_seconds=0.05, maximum_seconds=0.1)


class Tries:
    """A call whose tries take and yield what is written down, one entry for each try."""

    def __init__(self, clock: FakeClock, *script: tuple[float, str | Exception]) -> None:
        self.clock = clock
        self.script = list(script)
        self.started = 0
        self.cancelled = 0

    async def __call__(self) -> str:
        takes, outcome = self.script[self.started]
        self.started += 1
        try:
            await self.clock.sleep(takes)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def make(clock: FakeClock, recorder: Recorder | None = None, **rest: object) -> Hedge:
    return Hedge("users", TENTH, clock=clock, events=recorder or Recorder(), **rest)  # type: ignore[arg-type]


async def ended(clock: FakeClock, call: Callable[[], Awaitable[str]]) -> str | BaseException:
    task = asyncio.ensure_future(call())
    await clock.advance(60)
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    return outcome


async def test_a_fast_call_is_made_once(clock: FakeClock) -> None:
    """An answer before the hedge's time needs no hedge."""
    tries = Tries(clock, (0.09, "first"))
    assert await ended(clock, lambda: make(clock).call(tries)) == "first"
    assert tries.started == 1
    assert clock.sleepers == 0


async def test_a_slow_call_is_overtaken_by_its_hedge(clock: FakeClock, recorder: Recorder) -> None:
    """The hedge's answer ends the first try, at the hedge's time and not at the first's."""
    tries = Tries(clock, (30.0, "first"), (0.02, "hedge"))
    hedge = make(clock, recorder)
    started = clock.monotonic()
    task = asyncio.create_task(hedge.call(tries))
    await clock.advance(0.12)
    assert await task == "hedge"
    assert clock.monotonic() == pytest.approx(started + 0.12)
    assert tries.cancelled == 1
    assert task.cancelling() == 0
    assert recorder.events == [CallHedged("users", 0.1, "hedge")]


async def test_a_first_try_that_answers_after_all_ends_its_hedge(
    clock: FakeClock, recorder: Recorder
) -> None:
    """The first answer wins, whoever gives it; the loser is cancelled and collected."""
    tries = Tries(clock, (0.15, "first"), (30.0, "hedge"))
    hedge = make(clock, recorder)
    assert await ended(clock, lambda: hedge.call(tries)) == "first"
    assert tries.cancelled == 1
    assert hedge.ending == set()
    assert recorder.events == [CallHedged("users", 0.1, "first")]


async def test_a_hedge_that_fails_does_not_end_the_first_try(clock: FakeClock) -> None:
    """A failed hedge is forgotten while the first try goes on."""
    tries = Tries(clock, (0.5, "first"), (0.01, ConnectionError("hedge down")))
    assert await ended(clock, lambda: make(clock).call(tries)) == "first"


async def test_a_first_try_that_fails_leaves_it_to_the_hedge(clock: FakeClock) -> None:
    """When the first try fails while a hedge is under way, the hedge's answer is the answer."""
    tries = Tries(clock, (0.2, ConnectionError("first down")), (0.5, "hedge"))
    task = asyncio.create_task(make(clock).call(tries))
    await clock.advance(5)
    assert await task == "hedge"
    assert task.cancelling() == 0


async def test_when_both_fail_the_first_ones_error_is_raised(clock: FakeClock) -> None:
    """Neither error is lost or reported as never looked at."""
    tries = Tries(clock, (0.2, ConnectionError("first")), (0.5, ConnectionError("hedge")))
    outcome = await ended(clock, lambda: make(clock).call(tries))
    assert isinstance(outcome, ConnectionError)
    assert str(outcome) == "first"


async def test_a_failure_before_the_hedges_time_is_not_hedged(clock: FakeClock) -> None:
    """Errors are the retry's business; a hedge is for slowness."""
    tries = Tries(clock, (0.05, ConnectionError("first")))
    outcome = await ended(clock, lambda: make(clock).call(tries))
    assert isinstance(outcome, ConnectionError)
    assert clock.sleepers == 0


async def test_cancellation_ends_both_tries(clock: FakeClock) -> None:
    """Cancelled while both run, or while only the hedge is left: everything ends."""
    for first in ((30.0, "first"), (0.2, ConnectionError("first"))):
        tries = Tries(clock, first, (30.0, "hedge"))
        hedge = make(clock)
        task = asyncio.create_task(hedge.call(tries))
        await clock.advance(0.3)
        task.cancel()
        await clock.advance(1)
        assert task.cancelled()
        assert hedge.ending == set()
        assert tries.cancelled == (2 if first[0] == 30.0 else 1)


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_beside_the_hedges_answer_is_not_swallowed(
    clock: FakeClock, turns: int
) -> None:
    """Whenever the task is cancelled before it is done, it ends cancelled."""
    tries = Tries(clock, (30.0, "first"), (0.02, "hedge"))
    task = asyncio.create_task(make(clock).call(tries))
    await clock.advance(0.11)
    clock.jump(0.02)
    for when, _, timer in sorted(clock._timers, key=lambda entry: entry[:2]):
        if when <= clock.monotonic():
            timer.go_off()
    for _ in range(turns):
        await asyncio.sleep(0)
    cancelled = task.cancel()
    await settle()
    assert task.cancelled() == cancelled


async def test_a_hedge_costs_a_token(clock: FakeClock) -> None:
    """Without one there is no hedge; with one there is, and it is gone then."""
    budget = RetryBudget(BudgetOptions(minimum_per_second=0), clock=clock)
    hedge = make(clock, budget=budget)
    tries = Tries(clock, (1.0, "first"), (0.02, "hedge"))
    assert await ended(clock, lambda: hedge.call(tries)) == "first"
    budget.tokens = 1.0
    tries = Tries(clock, (1.0, "first"), (0.02, "hedge"))
    assert await ended(clock, lambda: hedge.call(tries)) == "hedge"
    assert not budget.reserve()


async def test_no_hedge_is_sent_that_could_not_come_back_in_time(clock: FakeClock) -> None:
    """With less time left than half of all answers take, the first try is left alone."""
    hedge = make(clock)
    for _ in range(20):
        hedge.latency.add(0.08)
    tries = Tries(clock, (0.15, "first"), (0.01, "hedge"))
    with call_context(deadline=Deadline.after(0.15, clock)):
        assert await ended(clock, lambda: hedge.call(tries)) == "first"
    assert tries.started == 1


async def test_a_hedge_has_the_calls_deadline(clock: FakeClock) -> None:
    """What the call carries, its hedge carries too."""
    seen: list[float] = []

    async def look() -> str:
        deadline = current_deadline()
        assert deadline is not None
        seen.append(deadline.at)
        await clock.sleep(0.2)
        return "fine"

    deadline = Deadline.after(5.0, clock)
    with call_context(deadline=deadline):
        task = asyncio.create_task(make(clock).call(look))
    await clock.advance(1)
    await task
    assert seen == [deadline.at, deadline.at]


async def test_the_hedges_time_follows_recent_latency_within_its_bounds(clock: FakeClock) -> None:
    """Until there are samples it is the maximum; then the quantile; never outside the bounds."""
    options = HedgeOptions(0.95, minimum_seconds=0.01, maximum_seconds=1.0, minimum_samples=20)
    hedge = Hedge("users", options, clock=clock)
    assert hedge.delay() == 1.0
    for _ in range(95):
        hedge.latency.add(0.1)
    for _ in range(33):
        hedge.latency.add(0.2)
    assert hedge.delay() == 0.2
    for _ in range(128):
        hedge.latency.add(0.0001)
    assert hedge.delay() == 0.01
    for _ in range(128):
        hedge.latency.add(30.0)
    assert hedge.delay() == 1.0


@given(samples=st.lists(st.floats(0, 100), min_size=1, max_size=300), q=st.floats(0, 0.999))
def test_a_quantile_is_that_of_the_last_samples(samples: list[float], q: float) -> None:
    """At refreshing points it is exactly the order statistic of the newest `size`."""
    recent = RecentLatency(size=50, refresh=1)
    for sample in samples:
        recent.add(sample)
    last = sorted(samples[-50:])
    assert recent.quantile(q) == last[min(len(last) - 1, int(q * len(last)))]


def test_a_call_that_was_not_hedged_leaves_no_garbage(clock: FakeClock) -> None:
    """A thousand fast calls give the collector nothing to do and leave no timer in force."""
    hedge = make(clock)

    async def answer() -> str:
        return "fine"

    async def calls() -> None:
        await hedge.call(answer)
        with NoGarbage():
            for _ in range(1_000):
                await hedge.call(answer)

    run_plainly(calls())
    assert clock.sleepers == 0


@pytest.mark.parametrize("wrong", [{"quantile": 0.4}, {"quantile": 1.0}, {"maximum_seconds": 0.0}])
def test_hedges_that_would_double_the_load_are_refused(wrong: dict[str, float]) -> None:
    """A quantile below a half, or of one, makes no sense."""
    with pytest.raises(InvalidOptionsError):
        HedgeOptions(**wrong)  # type: ignore[arg-type]


async def test_a_hedge_that_was_turned_away_costs_no_token(clock: FakeClock) -> None:
    """A full bulkhead or an open breaker kept it from being sent: the token is there again."""
    budget = RetryBudget(BudgetOptions(minimum_per_second=0, ratio=0), clock=clock)
    budget.tokens = 1.0
    tries = Tries(clock, (0.5, "first"), (0.0, BulkheadFull("users")))
    hedge = make(clock, budget=budget)
    assert await ended(clock, lambda: hedge.call(tries)) == "first"
    assert tries.started == 2
    assert budget.tokens == 1.0
    assert await ended(clock, lambda: make(clock).call(Tries(clock, *tries.script))) == "first"


async def test_a_failed_first_try_is_answered_by_its_hedge_and_told(
    clock: FakeClock, recorder: Recorder
) -> None:
    """The event says that the hedge won, also when the first try gave up by itself."""
    tries = Tries(clock, (0.2, ConnectionError("down")), (0.5, "second"))
    assert await ended(clock, lambda: make(clock, recorder).call(tries)) == "second"
    assert recorder.of(CallHedged) == [CallHedged("users", 0.1, "hedge")]


async def test_what_a_call_took_is_what_later_ones_are_measured_by(clock: FakeClock) -> None:
    """Its own time when the first try answered, and the hedge's delay when that was overtaken."""
    hedge = make(clock)
    await ended(clock, lambda: hedge.call(Tries(clock, (0.09, "first"))))
    assert hedge.latency.quantile(0.5) == pytest.approx(0.09)
    overtaken = make(clock)
    await ended(clock, lambda: overtaken.call(Tries(clock, (5.0, "first"), (0.01, "second"))))
    assert overtaken.latency.quantile(0.5) == pytest.approx(0.1)


def test_new_options_hold_from_the_next_call_on(clock: FakeClock) -> None:
    """Latencies stay, and exactly as many as are asked for are enough to go by."""
    hedge = make(clock)
    for _ in range(5):
        hedge.latency.add(0.07)
    assert hedge.delay() == 0.1
    hedge.reconfigure(HedgeOptions(minimum_seconds=0.0, maximum_seconds=9.0, minimum_samples=5))
    assert hedge.delay() == 0.07
    hedge.reconfigure(HedgeOptions(minimum_seconds=0.0, maximum_seconds=9.0, minimum_samples=6))
    assert hedge.delay() == 9.0


@pytest.mark.parametrize(
    ("left", "known", "hedged"),
    [
        (0.25, (0.125, 0.25, 0.5), False),
        (0.251, (0.125, 0.25, 0.5), True),
        (0.5, (), True),
    ],
)
async def test_a_hedge_needs_the_time_of_half_of_all_answers(
    clock: FakeClock, left: float, known: tuple[float, ...], hedged: bool
) -> None:
    """With no more than the median left it is not sent; where nothing is known it is."""
    hedge = make(clock)
    for seconds in known:
        hedge.latency.add(seconds)
    tries = Tries(clock, (3.0, "first"), (3.0, "second"))
    # Binary fractions, so that the moments are exact.
    hedge.reconfigure(HedgeOptions(minimum_seconds=0.0, maximum_seconds=0.125))
    deadline = Deadline.after(0.125 + left, clock)
    task = asyncio.create_task(hedge.run(tries, deadline))
    await clock.advance(1.0)
    assert (tries.started == 2) == hedged
    await clock.advance(5.0)
    assert await task == "first"
