"""The pipeline: the policies together, in their order, with the function's own face."""

import asyncio
import inspect
import random
from contextvars import ContextVar

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from resilience import (
    AdaptiveOptions,
    AttemptTimedOut,
    BreakerOptions,
    BudgetOptions,
    BulkheadFull,
    BulkheadOptions,
    CircuitOpen,
    CopyKey,
    Deadline,
    DeadlineExceeded,
    DeadlineOptions,
    FallbackOptions,
    Freshness,
    HedgeOptions,
    InvalidOptionsError,
    LoadShed,
    Pipeline,
    PipelineOptions,
    Priority,
    RateLimited,
    RateLimitOptions,
    Rejected,
    RetryOptions,
    Served,
    SheddingOptions,
    TimeoutOptions,
    call_context,
    current_deadline,
)
from resilience.breaker_states import ClosedState
from resilience.events import AttemptFinished, CallRejected, CallRetried
from resilience.testing import FakeClock, ScriptedCall, settle
from resilience.verdict import Verdict

from .conftest import NoGarbage, Recorder, run_plainly
from .test_fallback import JsonCodec

DOWN = ConnectionError("down")

#: Everything at once.
FULL = PipelineOptions(
    fallback=FallbackOptions(),
    single_flight=True,
    deadline=DeadlineOptions(seconds=5.0),
    shedding=SheddingOptions(),
    rate_limit=RateLimitOptions(per_second=1e6, burst=100_000),
    retry=RetryOptions(attempts=3, wait_seconds=0.1),
    budget=BudgetOptions(ratio=1.0),
    hedge=HedgeOptions(maximum_seconds=0.5),
    breaker=BreakerOptions(window="consecutive", ramp_seconds=0.0, break_jitter=0.0),
    bulkhead=BulkheadOptions(10, 10),
    adaptive=AdaptiveOptions(),
    timeout=TimeoutOptions(1.0),
)


def make(clock: FakeClock, recorder: Recorder | None = None, **policies: object) -> Pipeline:
    return Pipeline(
        "users",
        PipelineOptions(**policies),  # type: ignore[arg-type]
        clock=clock,
        rng=random.Random(6),
        events=recorder or Recorder(),
    )


def anything(*_args: object, **_kwargs: object) -> str:
    return "k"


def of_ana(*_args: object, **_kwargs: object) -> CopyKey:
    return CopyKey("c", "ana", "owner")


async def authorised(*_args: object, **_kwargs: object) -> bool:
    return True


async def test_with_everything_on_a_call_is_still_just_the_call(clock: FakeClock) -> None:
    """Arguments, result, name, signature and docstring are the function's own."""
    pipeline = Pipeline("users", FULL, clock=clock)

    async def lookup(user: int, *, fresh: bool = False) -> str:
        """Look a user up."""
        return f"{user} {fresh}"

    for wrapped in (
        pipeline.read(lookup),
        pipeline.mutation(lookup),
        pipeline.read(lookup, key=lambda user, *, fresh=False: (user, fresh)),
    ):
        assert await wrapped(7, fresh=True) == "7 True"
        assert wrapped.__name__ == "lookup"
        assert wrapped.__doc__ == "Look a user up."
        assert inspect.signature(wrapped) == inspect.signature(lookup)
        assert asyncio.iscoroutinefunction(wrapped)


async def test_with_everything_off_it_is_nothing(clock: FakeClock) -> None:
    """No policy, no change: the error and the call are as they were."""
    call = ScriptedCall[str]([DOWN])
    with pytest.raises(ConnectionError):
        await make(clock).read(call)()
    assert call.calls == 1


async def test_each_retry_asks_the_breaker_anew(clock: FakeClock) -> None:
    """A breaker that opens between attempts ends the retries with its rejection."""
    pipeline = make(
        clock,
        retry=RetryOptions(attempts=5),
        budget=BudgetOptions(ratio=1.0, minimum_per_second=100),
        breaker=BreakerOptions(window="consecutive", consecutive_failures=2),
    )
    call = ScriptedCall[str]([DOWN], clock=clock)
    task = asyncio.create_task(pipeline.read(call)())
    await clock.advance(10)
    with pytest.raises(CircuitOpen):
        await task
    assert call.calls == 2


async def test_a_wait_for_a_retry_holds_no_slot(clock: FakeClock) -> None:
    """While a call waits to be tried again, another one runs in the only slot."""
    pipeline = make(
        clock,
        retry=RetryOptions(wait_seconds=1.0, jitter="decorrelated"),
        budget=BudgetOptions(),
        bulkhead=BulkheadOptions(1, 0),
    )
    flaky = asyncio.create_task(pipeline.read(ScriptedCall[str]([DOWN, "fine"]))())
    await settle()
    assert await pipeline.read(ScriptedCall[str](["other"]))() == "other"
    await clock.advance(5)
    assert await flaky == "fine"


async def test_a_hang_is_the_breakers_business_and_not_the_callers(clock: FakeClock) -> None:
    """Attempts that time out open the breaker; the caller sees them as timeouts."""
    pipeline = make(
        clock,
        deadline=DeadlineOptions(seconds=30.0),
        breaker=BreakerOptions(window="consecutive", consecutive_failures=3),
        timeout=TimeoutOptions(1.0),
    )
    hang = pipeline.read(clock.sleep)
    for _ in range(3):
        task = asyncio.create_task(hang(60))
        await clock.advance(1)
        with pytest.raises(AttemptTimedOut):
            await task
    with pytest.raises(CircuitOpen):
        await hang(60)


async def test_a_slow_service_never_makes_a_call_outlive_its_deadline(clock: FakeClock) -> None:
    """Retries, hedges, queues and all: at the deadline the call has ended."""
    pipeline = Pipeline("users", FULL, clock=clock, rng=random.Random(1))
    hang = pipeline.read(clock.sleep)
    started = clock.monotonic()
    ended: list[float] = []

    async def impatient() -> None:
        with call_context(deadline=Deadline.after(1.5, clock)):
            try:
                await hang(3_600)
            except (DeadlineExceeded, AttemptTimedOut, Rejected):
                ended.append(clock.monotonic() - started)

    tasks = [asyncio.create_task(impatient()) for _ in range(12)]
    await clock.advance(10)
    await asyncio.gather(*tasks)
    assert len(ended) == 12
    assert max(ended) <= 1.5 + 1e-9


async def test_without_an_attempt_timeout_the_deadline_ends_the_call(clock: FakeClock) -> None:
    """An enforced deadline ends a hang; one that is only looked at does not."""
    for enforce in (True, False):
        pipeline = make(clock, deadline=DeadlineOptions(seconds=1.0, enforce=enforce))
        task = asyncio.create_task(pipeline.read(clock.sleep)(2))
        await clock.advance(1)
        assert task.done() == enforce
        await clock.advance(1)
        await asyncio.gather(task, return_exceptions=True)


async def test_the_call_can_see_how_long_it_has(clock: FakeClock) -> None:
    """With a timer, an attempt's own time; with a deadline alone, that; and nothing outside."""

    async def left() -> float:
        deadline = current_deadline()
        assert deadline is not None
        return deadline.remaining()

    timed = make(clock, deadline=DeadlineOptions(seconds=2.0), timeout=TimeoutOptions(0.5))
    assert await timed.read(left)() == pytest.approx(0.5)
    looked_at = make(clock, deadline=DeadlineOptions(seconds=2.0, enforce=False))
    assert await looked_at.read(left)() == pytest.approx(2.0)
    assert current_deadline() is None


async def test_mutations_are_neither_hedged_nor_joined_and_retried_only_with_a_key(
    clock: FakeClock,
) -> None:
    """A slow mutation is made once; a failed one again only under an idempotency key."""
    pipeline = Pipeline("ledger", FULL, clock=clock, rng=random.Random(1))
    slow = ScriptedCall[str](["posted"], clock=clock, takes=0.9)
    both = [asyncio.create_task(pipeline.mutation(slow)()) for _ in range(2)]
    await clock.advance(1)
    assert await asyncio.gather(*both) == ["posted"] * 2
    assert slow.calls == 2
    failing = ScriptedCall[str]([DOWN, "posted"])
    with pytest.raises(ConnectionError):
        await pipeline.mutation(failing)()
    failing = ScriptedCall[str]([DOWN, "posted"])
    with call_context(idempotency_key="k"):
        task = asyncio.create_task(pipeline.mutation(failing)())
        await clock.advance(2)
        assert await task == "posted"


async def test_equal_reads_are_joined_and_different_functions_are_not(clock: FakeClock) -> None:
    """The key is one function's: two functions with equal keys do not meet."""
    pipeline = make(clock, single_flight=True)
    one = ScriptedCall[str](["one"], clock=clock, takes=0.1)
    two = ScriptedCall[str](["two"], clock=clock, takes=0.1)
    first, second = pipeline.read(one, key=anything), pipeline.read(two, key=anything)
    tasks = [asyncio.create_task(wrapped()) for wrapped in (first, first, second)]
    await clock.advance(0.1)
    assert await asyncio.gather(*tasks) == ["one", "one", "two"]
    assert (one.calls, two.calls) == (1, 1)


async def test_a_copy_stands_in_for_whatever_went_wrong_further_in(clock: FakeClock) -> None:
    """With the breaker open the copy is served at once, marked, and says why."""
    pipeline = Pipeline("users", FULL, clock=clock)
    call = ScriptedCall[str](["ana"])
    served = pipeline.served(call, key=of_ana, codec=JsonCodec(), authorise=authorised)
    assert (await served()).freshness is Freshness.LIVE
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    stale = await served()
    assert (stale.value, stale.freshness) == ("ana", Freshness.STALE)
    assert isinstance(stale.error, CircuitOpen)
    assert call.calls == 1
    await pipeline.aclose()


async def test_with_the_fallback_off_a_served_read_fails_as_any_other(clock: FakeClock) -> None:
    """`served` without a fallback is live or an error."""
    served = make(clock).served(
        ScriptedCall[str](["ana", DOWN]),
        key=of_ana,
        codec=JsonCodec(),
        authorise=authorised,
    )
    assert (await served()).freshness is Freshness.LIVE
    with pytest.raises(ConnectionError):
        await served()


async def test_what_an_open_breaker_turns_away_takes_nobodys_tokens(
    clock: FakeClock, recorder: Recorder
) -> None:
    """Rejected calls cost no token of the rate limit and pay none into the budget."""
    pipeline = make(
        clock,
        recorder,
        rate_limit=RateLimitOptions(1, 1),
        retry=RetryOptions(),
        budget=BudgetOptions(ratio=1.0, minimum_per_second=0),
        breaker=BreakerOptions(break_jitter=0.0, probes=1, ramp_seconds=0.0),
    )
    assert pipeline.breaker is not None
    assert pipeline.budget is not None
    pipeline.breaker.open()
    guarded = pipeline.read(ScriptedCall[str](["fine"]))
    for _ in range(50):
        with pytest.raises(CircuitOpen):
            await guarded()
    assert pipeline.budget.tokens == 0.0
    assert len(recorder.of(CallRejected)) == 50
    clock.jump(5.0)
    assert await guarded() == "fine"
    with pytest.raises(RateLimited):
        await guarded()


async def test_a_rejection_within_an_attempt_gives_back_what_was_taken(clock: FakeClock) -> None:
    """A full bulkhead leaves no probe's permit and no place behind."""
    pipeline = make(
        clock, breaker=BreakerOptions(probes=1), bulkhead=BulkheadOptions(1, 0), adaptive=None
    )
    assert pipeline.breaker is not None
    assert pipeline.bulkhead is not None
    await pipeline.bulkhead.acquire()
    pipeline.breaker.open()
    clock.jump(10.0)
    for _ in range(3):
        with pytest.raises(BulkheadFull):
            await pipeline.read(ScriptedCall[str](["fine"]))()
    assert pipeline.breaker.epoch.name == "half-open"
    pipeline.bulkhead.release()
    assert await pipeline.read(ScriptedCall[str](["fine"]))() == "fine"
    assert pipeline.breaker.epoch.name == "closed"


async def test_a_rejection_within_an_attempt_pays_nothing_into_the_budget(
    clock: FakeClock,
) -> None:
    """A call that a full bulkhead turned away cost the dependency nothing, and earns no retry."""
    pipeline = make(
        clock,
        bulkhead=BulkheadOptions(1, 0),
        retry=RetryOptions(),
        budget=BudgetOptions(ratio=1.0, minimum_per_second=0),
    )
    assert pipeline.bulkhead is not None
    assert pipeline.budget is not None
    await pipeline.bulkhead.acquire()
    with pytest.raises(BulkheadFull):
        await pipeline.read(ScriptedCall[str](["fine"]))()
    assert pipeline.budget.tokens == 0.0
    pipeline.bulkhead.release()
    await pipeline.read(ScriptedCall[str](["fine"]))()
    assert pipeline.budget.tokens == 1.0


async def test_every_attempt_is_told_with_its_time_and_error(
    clock: FakeClock, recorder: Recorder
) -> None:
    """Two failed attempts and a good one are three events, and two retries."""
    pipeline = make(clock, recorder, retry=RetryOptions(), budget=BudgetOptions(ratio=1.0))
    call = ScriptedCall[str]([DOWN, DOWN, "fine"], clock=clock, takes=0.25)
    pipeline.budget.tokens = 5.0  # type: ignore[union-attr]
    task = asyncio.create_task(pipeline.read(call)())
    await clock.advance(10)
    assert await task == "fine"
    finished = [event for event in recorder.events if isinstance(event, AttemptFinished)]
    assert [event.error for event in finished] == [DOWN, DOWN, None]
    assert [event.seconds for event in finished] == pytest.approx([0.25] * 3)
    assert len(recorder.of(CallRetried)) == 2


async def test_a_part_that_is_turned_off_and_on_again_still_knows(clock: FakeClock) -> None:
    """An open breaker is open after a reload without it and one with it."""
    with_breaker = PipelineOptions(breaker=BreakerOptions())
    pipeline = Pipeline("users", with_breaker, clock=clock)
    guarded = pipeline.read(ScriptedCall[str](["fine"]))
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    pipeline.reconfigure(PipelineOptions())
    assert await guarded() == "fine"
    pipeline.reconfigure(PipelineOptions(breaker=BreakerOptions(probes=1)))
    with pytest.raises(CircuitOpen):
        await guarded()


async def test_a_reload_in_the_middle_of_a_call_settles_it_where_it_was_admitted(
    clock: FakeClock,
) -> None:
    """A call that began before gives its slot back to the bulkhead that it took it from."""
    pipeline = make(clock, bulkhead=BulkheadOptions(1, 0), breaker=BreakerOptions())
    bulkhead, breaker = pipeline.bulkhead, pipeline.breaker
    assert bulkhead is not None
    assert breaker is not None
    task = asyncio.create_task(pipeline.read(clock.sleep)(0.5))
    await settle()
    pipeline.reconfigure(PipelineOptions())
    await clock.advance(1)
    await task
    assert bulkhead.in_flight == 0
    assert isinstance(breaker.epoch, ClosedState)
    assert breaker.epoch.in_flight == 0


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"retry": RetryOptions()}, "budget"),
        ({"hedge": HedgeOptions()}, "budget"),
        ({"shedding": SheddingOptions()}, "shedding"),
        ({"deadline": DeadlineOptions(seconds=1), "timeout": TimeoutOptions(2)}, "timeout"),
    ],
)
def test_policies_that_make_no_sense_together_are_refused(
    wrong: dict[str, object], option: str
) -> None:
    """Retries need a budget, shedding a load to go by, and a timeout room in the deadline."""
    with pytest.raises(InvalidOptionsError) as caught:
        PipelineOptions(**wrong)  # type: ignore[arg-type]
    assert [name for name, _ in caught.value.problems] == [option]


def test_success_leaves_no_cyclic_garbage() -> None:
    """With everything on, a thousand good calls give the collector nothing to do."""
    pipeline = Pipeline("users", FULL)

    async def answer() -> str:
        return "fine"

    guarded = pipeline.read(answer, key=lambda: "k")

    async def calls() -> None:
        await guarded()
        with NoGarbage():
            for _ in range(1_000):
                await guarded()

    run_plainly(calls())


@hypothesis_settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    plan=st.lists(
        st.tuples(
            st.floats(0, 2), st.sampled_from(["good", "bad", "hang", "cancel"]), st.floats(0, 0.3)
        ),
        min_size=1,
        max_size=25,
    ),
)
def test_whatever_happens_everything_taken_is_given_back(
    seed: int, plan: list[tuple[float, str, float]]
) -> None:
    """After any mix of good, bad, hanging and cancelled calls no slot, place or flight is held."""
    clock = FakeClock()
    pipeline = Pipeline("users", FULL, clock=clock, rng=random.Random(seed))

    async def work(takes: float, what: str) -> str:
        await clock.sleep(3_600 if what == "hang" else takes)
        if what == "bad":
            raise DOWN.with_traceback(None)
        return what

    guarded = pipeline.read(work, key=lambda takes, what: (round(takes, 1), what))

    async def run() -> None:
        tasks = []
        for takes, what, gap in plan:
            task = asyncio.create_task(guarded(takes, what))
            tasks.append(task)
            await clock.advance(gap)
            if what == "cancel":
                task.cancel()
        await clock.advance(60)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pipeline.bulkhead is not None
        assert pipeline.adaptive is not None
        assert pipeline.single_flight is not None
        assert pipeline.breaker is not None
        assert pipeline.hedge is not None
        assert (pipeline.bulkhead.in_flight, pipeline.bulkhead.queued) == (0, 0)
        assert pipeline.adaptive.in_flight == 0
        assert len(pipeline.single_flight) == 0
        assert not pipeline.hedge.ending
        epoch = pipeline.breaker.epoch
        assert getattr(epoch, "in_flight", 0) == 0
        assert getattr(epoch, "granted", 0) <= 3

    asyncio.run(run(), debug=False)


# -- sections --------------------------------------------------------------------------------------


async def test_a_section_is_one_attempt_of_the_pipeline() -> None:
    """A block is admitted, counted, timed and told like any attempt."""
    clock, recorder = FakeClock(), Recorder()
    pipeline = make(
        clock,
        recorder,
        breaker=BreakerOptions(window="consecutive", consecutive_failures=2, break_jitter=0.0),
        bulkhead=BulkheadOptions(1, 0),
    )
    async with pipeline.section():
        await clock.advance(0.25)
        assert pipeline.bulkhead is not None
        assert pipeline.bulkhead.in_flight == 1
        with pytest.raises(BulkheadFull):
            async with pipeline.section():
                pytest.fail("a full bulkhead admits nobody")
    for _ in range(2):
        with pytest.raises(ConnectionError):
            async with pipeline.section():
                raise DOWN
    with pytest.raises(CircuitOpen):
        async with pipeline.section():
            pytest.fail("an open breaker admits nobody")

    assert pipeline.bulkhead.in_flight == 0
    finished = [
        (event.seconds, event.error)
        for event in recorder.events
        if isinstance(event, AttemptFinished)
    ]
    assert finished == [(0.25, None), (0.0, DOWN), (0.0, DOWN)]


async def test_a_cancelled_section_gives_back_what_it_holds() -> None:
    """Cancelled in the block or in the queue before it, a section leaves no slot and no probe taken."""
    clock = FakeClock()
    pipeline = make(
        clock,
        breaker=BreakerOptions(
            window="consecutive", consecutive_failures=1, break_jitter=0.0, probes=1
        ),
        bulkhead=BulkheadOptions(1, 5, queue_seconds=60.0),
    )
    with pytest.raises(ConnectionError):
        async with pipeline.section():
            raise DOWN
    await clock.advance(5.0)

    async def block() -> None:
        async with pipeline.section():
            await asyncio.sleep(3_600)

    for _ in range(3):
        task = asyncio.create_task(block())
        await settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert pipeline.bulkhead is not None
    assert (pipeline.bulkhead.in_flight, pipeline.bulkhead.queued) == (0, 0)
    async with pipeline.section():
        pass
    assert pipeline.breaker is not None
    assert pipeline.breaker.current_state == "closed"


async def test_a_section_begins_only_in_time_and_by_its_priority() -> None:
    """Too late is turned away before anything is taken, and so is what the load leaves no room for."""
    clock = FakeClock()
    pipeline = make(
        clock,
        deadline=DeadlineOptions(seconds=5.0),
        rate_limit=RateLimitOptions(per_second=1.0, burst=1),
        bulkhead=BulkheadOptions(2, 0),
        shedding=SheddingOptions(low=0.5, background=0.4, normal=0.9, high=0.9),
    )
    with call_context(deadline=Deadline.after(0.0, clock)), pytest.raises(DeadlineExceeded):
        async with pipeline.section():
            pytest.fail("there is no time left")
    async with pipeline.section():
        with call_context(priority=Priority.LOW), pytest.raises(LoadShed):
            async with pipeline.section():
                pytest.fail("half of the slots are taken")
        with pytest.raises(RateLimited):
            async with pipeline.section():
                pytest.fail("the token of this second is used up")


@pytest.mark.parametrize("how", ["turned away", "cancelled", "out of time"])
async def test_time_in_the_bulkheads_queue_is_not_the_dependencys(
    clock: FakeClock, how: str
) -> None:
    """Calls that ended while they waited for a slot were never slow: the breaker stays closed."""
    pipeline = make(
        clock,
        breaker=BreakerOptions(window_size=10, minimum_calls=5, slow_seconds=1.0),
        bulkhead=BulkheadOptions(1, 20, 2.0 if how == "turned away" else 60.0),
    )
    assert pipeline.bulkhead is not None
    assert pipeline.breaker is not None
    await pipeline.bulkhead.acquire()
    deadline = Deadline.after(2.0, clock) if how == "out of time" else None
    with call_context(deadline=deadline):
        waiting = [
            asyncio.create_task(pipeline.read(ScriptedCall[str](["fine"]))()) for _ in range(10)
        ]
    await clock.advance(2.0)
    for task in waiting:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    kinds = {"turned away": BulkheadFull, "out of time": DeadlineExceeded}
    assert all(isinstance(it, kinds.get(how, asyncio.CancelledError)) for it in outcomes)
    assert pipeline.breaker.idle


async def test_equal_reads_never_wait_longer_than_one_may_take(clock: FakeClock) -> None:
    """Without a request's deadline as well: behind a leader that hangs, nobody's time adds up."""
    pipeline = make(clock, single_flight=True, deadline=DeadlineOptions(seconds=2.0))
    started = clock.monotonic()
    ended: list[float] = []

    async def hang() -> str:
        await clock.sleep(3_600)
        return "never"

    read = pipeline.read(hang, key=anything)

    async def ask() -> None:
        with pytest.raises(DeadlineExceeded):
            await read()
        ended.append(clock.monotonic() - started)

    callers = [asyncio.create_task(ask()) for _ in range(10)]
    await clock.advance(60)
    await asyncio.gather(*callers)
    assert max(ended) <= 2.0 + 1e-9


async def test_an_answer_on_its_way_to_one_user_is_not_handed_to_another(clock: FakeClock) -> None:
    """Who may not read an entity asks for themselves, and gets the dependency's own answer."""
    pipeline = make(clock, single_flight=True, fallback=FallbackOptions())
    viewer: ContextVar[str] = ContextVar("viewer")

    async def lookup() -> str:
        await clock.sleep(1.0)
        if viewer.get() != "ana":
            raise PermissionError("not yours")
        return "ana's balance"

    async def authorise() -> bool:
        return viewer.get() == "ana"

    served = pipeline.served(lookup, key=of_ana, codec=JsonCodec(), authorise=authorise)

    async def ask(who: str) -> Served[str]:
        viewer.set(who)
        return await served()

    owner, again, other = (asyncio.create_task(ask(who)) for who in ("ana", "ana", "eve"))
    await clock.advance(1.0)
    assert (await owner).value == (await again).value == "ana's balance"
    with pytest.raises(PermissionError):
        await other


async def test_a_classifier_that_raises_leaks_no_slot(clock: FakeClock) -> None:
    """After any number of failures that cannot be judged every place is free again."""

    def broken(error: Exception) -> Verdict:
        raise RuntimeError("a bug in the classifier")

    pipeline = Pipeline("users", FULL, clock=clock, classifier=broken)
    assert pipeline.bulkhead is not None
    assert pipeline.adaptive is not None
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await pipeline.read(ScriptedCall[str]([DOWN]))()
    assert (pipeline.bulkhead.in_flight, pipeline.adaptive.in_flight) == (0, 0)
