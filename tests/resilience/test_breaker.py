"""The circuit breaker: what it counts, when it opens, how it comes back."""

import asyncio
import random
import time
from dataclasses import replace
from typing import Any

import pybreaker
import pytest

from resilience.breaker import BreakerOptions, CircuitBreaker
from resilience.breaker_states import ClosedState
from resilience.errors import AttemptTimedOut, BulkheadFull, CircuitOpen, DeadlineExceeded
from resilience.events import BreakerChanged, BreakerWouldOpen, Event, OutcomeDropped
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, ScriptedCall, settle
from resilience.verdict import Fault, Verdict

from .conftest import Recorder

#: Opens on the second failure in a row, breaks for exactly ten seconds, three probes, no ramp.
PLAIN = BreakerOptions(
    window="consecutive",
    consecutive_failures=2,
    break_seconds=10.0,
    break_jitter=0.0,
    probes=3,
    ramp_seconds=0.0,
)


class Answer(Exception):
    """A definite no of the dependency."""

    verdict = Verdict(Fault.CALLER)


def make(
    clock: FakeClock, options: BreakerOptions = PLAIN, recorder: Recorder | None = None
) -> CircuitBreaker:
    return CircuitBreaker(
        "users", options, clock=clock, rng=random.Random(1), events=recorder or Recorder()
    )


async def good() -> str:
    return "fine"


async def bad() -> str:
    raise ConnectionError("down")


async def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(ConnectionError):
            await breaker.call_async(bad)


async def half_open(breaker: CircuitBreaker, clock: FakeClock) -> None:
    """Open the breaker and let its break pass: the next call is a probe."""
    breaker.open()
    clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)


# -- opening ------------------------------------------------------------------------------------


async def test_it_opens_when_failures_come_in_a_row(clock: FakeClock) -> None:
    """The configured run opens it; the call that trips keeps its own error."""
    breaker = make(clock)
    await fail(breaker)
    assert breaker.epoch.name == "closed"
    await fail(breaker)
    assert breaker.epoch.name == "open"
    with pytest.raises(CircuitOpen) as caught:
        await breaker.call_async(good)
    assert caught.value.retry_after == pytest.approx(10.0)
    assert caught.value.source == breaker.name == "users"
    assert caught.value.detail == "open"
    assert "try again in 10.000 s" in str(caught.value)


async def test_a_rejection_is_one_of_pybreakers_errors_too(clock: FakeClock) -> None:
    """Code that catches `CircuitBreakerError` goes on working."""
    breaker = make(clock)
    breaker.open()
    with pytest.raises(pybreaker.CircuitBreakerError):
        await breaker.call_async(good)


@pytest.mark.parametrize("window", ["count", "time"])
async def test_it_opens_at_the_failure_rate_but_not_below_the_minimum_of_calls(
    clock: FakeClock, window: str
) -> None:
    """Nine failures of nine are no evidence yet; the tenth call makes them one."""
    options = BreakerOptions(window=window, window_size=20, minimum_calls=10)  # type: ignore[arg-type]
    breaker = make(clock, options)
    await fail(breaker, 9)
    assert breaker.epoch.name == "closed"
    await breaker.call_async(good)
    assert breaker.epoch.name == "open"


async def test_below_the_failure_rate_it_stays_closed(clock: FakeClock) -> None:
    """Four failures in ten do not open a breaker that opens at half."""
    breaker = make(clock, BreakerOptions(window_size=10, minimum_calls=10))
    for _ in range(20):
        for call in (bad, good, good, bad, good):
            await asyncio.gather(breaker.call_async(call), return_exceptions=True)
    assert breaker.epoch.name == "closed"


async def test_it_opens_when_calls_are_slow(clock: FakeClock) -> None:
    """Answers that all come, and come too late, open it."""
    options = BreakerOptions(window_size=10, minimum_calls=5, slow_seconds=1.0, slow_rate=0.8)
    breaker = make(clock, options)
    slow = ScriptedCall(["late"], clock=clock, takes=1.0)
    for _ in range(5):
        task = asyncio.create_task(breaker.call_async(slow))
        await clock.advance(1.0)
        assert await task == "late"
    assert breaker.epoch.name == "open"


async def test_failures_in_an_old_time_window_are_forgotten(clock: FakeClock) -> None:
    """What happened longer ago than the window says nothing about now."""
    options = BreakerOptions(window="time", window_seconds=10, minimum_calls=4)
    breaker = make(clock, options)
    await fail(breaker, 3)
    clock.jump(11.0)
    await fail(breaker, 3)
    assert breaker.epoch.name == "closed"


@pytest.mark.parametrize(
    "error", [BulkheadFull("users"), DeadlineExceeded("too late"), Answer("not found")]
)
async def test_what_is_not_the_dependencys_fault_is_no_failure(
    clock: FakeClock, error: Exception
) -> None:
    """Rejections, passed deadlines and definite answers never open it."""
    breaker = make(clock)
    call = ScriptedCall[str]([error])
    for _ in range(50):
        with pytest.raises(type(error)):
            await breaker.call_async(call)
    assert breaker.epoch.name == "closed"


async def test_a_definite_answer_ends_a_run_of_failures_and_a_rejection_does_not(
    clock: FakeClock,
) -> None:
    """ "Not found" proves that the dependency lives; "bulkhead full" proves nothing."""
    for error, state in ((Answer("not found"), "closed"), (BulkheadFull("users"), "open")):
        breaker = make(clock)
        await fail(breaker)
        with pytest.raises(type(error)):
            await breaker.call_async(ScriptedCall[str]([error]))
        await fail(breaker)
        assert breaker.epoch.name == state


# -- cancellation and hangs -----------------------------------------------------------------------


async def test_an_outer_timeout_stays_a_timeout_error_and_is_no_failure(clock: FakeClock) -> None:
    """`asyncio.timeout` around a guarded call works as around any other, trip or no trip."""
    breaker = make(clock)
    await fail(breaker)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01):
            await breaker.call_async(asyncio.sleep, 60)
    assert not isinstance(caught.value, AttemptTimedOut | DeadlineExceeded)
    assert breaker.epoch.name == "closed"
    await fail(breaker)
    assert breaker.epoch.name == "open"


async def test_a_cancelled_call_is_neither_failure_nor_success(clock: FakeClock) -> None:
    """Cancellation does not end a run of failures, and does not lengthen it."""
    breaker = make(clock)
    await fail(breaker)
    task = asyncio.create_task(breaker.call_async(clock.sleep, 0.5))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert breaker.fail_counter == 1
    await fail(breaker)
    assert breaker.epoch.name == "open"


async def test_a_hang_under_a_deadline_trips_the_breaker_in_the_end(clock: FakeClock) -> None:
    """Calls that hang until their caller gives up count as slow, so a hang does not go unseen."""
    options = BreakerOptions(window_size=10, minimum_calls=5, slow_seconds=1.0, slow_rate=0.8)
    breaker = make(clock, options)
    for _ in range(5):
        assert breaker.epoch.name == "closed"
        task = asyncio.create_task(breaker.call_async(clock.sleep, 3_600))
        await clock.advance(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert breaker.epoch.name == "open"


# -- half-open --------------------------------------------------------------------------------


@pytest.mark.may_block  # a thousand tasks in a loop that debugs
@pytest.mark.parametrize("probes", [1, 3, 7])
async def test_exactly_n_of_a_thousand_concurrent_callers_probe(
    clock: FakeClock, probes: int
) -> None:
    """Of 1,000 callers at the end of a break, N reach the dependency and the rest are rejected."""
    breaker = make(clock, BreakerOptions(probes=probes))
    await half_open(breaker, clock)
    gate = asyncio.Event()
    reached = 0

    async def probe() -> None:
        nonlocal reached
        reached += 1
        await gate.wait()

    callers = [asyncio.create_task(breaker.call_async(probe)) for _ in range(1_000)]
    await settle()
    assert reached == probes
    gate.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    rejected = [outcome for outcome in outcomes if isinstance(outcome, CircuitOpen)]
    assert len(rejected) == 1_000 - probes
    assert all(rejection.retry_after for rejection in rejected)
    assert breaker.epoch.name == "closed"


async def test_all_probes_cancelled_and_the_next_wave_gets_them_all(clock: FakeClock) -> None:
    """No permit leaks: after N cancelled probes the next N callers probe, and close it."""
    breaker = make(clock)
    await half_open(breaker, clock)
    wave = [asyncio.create_task(breaker.call_async(clock.sleep, 0.5)) for _ in range(3)]
    await settle()
    with pytest.raises(CircuitOpen):
        await breaker.call_async(good)
    for probe in wave:
        probe.cancel()
    await asyncio.gather(*wave, return_exceptions=True)
    assert breaker.epoch.name == "half-open"
    for _ in range(3):
        assert await breaker.call_async(good) == "fine"
    assert breaker.epoch.name == "closed"


async def test_fewer_good_probes_than_asked_for_do_not_close_it(clock: FakeClock) -> None:
    """Two good probes of three leave it half-open; the third closes it."""
    breaker = make(clock)
    await half_open(breaker, clock)
    await breaker.call_async(good)
    await breaker.call_async(good)
    assert breaker.epoch.name == "half-open"
    await breaker.call_async(good)
    assert breaker.epoch.name == "closed"


async def test_good_probes_of_an_earlier_trial_do_not_count(clock: FakeClock) -> None:
    """Each half-open period counts its probes from zero."""
    breaker = make(clock)
    await half_open(breaker, clock)
    await breaker.call_async(good)
    await breaker.call_async(good)
    await fail(breaker)
    assert breaker.epoch.name == "open"
    clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)
    await breaker.call_async(good)
    assert breaker.epoch.name == "half-open"


@pytest.mark.parametrize("takes", [0.0, 1.0])
async def test_one_bad_or_slow_probe_opens_it_again(clock: FakeClock, takes: float) -> None:
    """A failed probe opens at once, and so does one that is slow."""
    breaker = make(clock)
    await half_open(breaker, clock)
    outcome = "late" if takes else ConnectionError("down")
    probe = asyncio.create_task(
        breaker.call_async(ScriptedCall[str]([outcome], clock=clock, takes=takes))
    )
    await clock.advance(takes)
    await asyncio.gather(probe, return_exceptions=True)
    assert breaker.epoch.name == "open"


async def test_probes_that_never_come_back_do_not_keep_it_half_open(clock: FakeClock) -> None:
    """When the permits are out for too long it opens again, and later probes anew."""
    breaker = make(clock)
    await half_open(breaker, clock)
    hanging = [asyncio.create_task(breaker.call_async(clock.sleep, 3_600)) for _ in range(3)]
    await settle()
    clock.jump(30.0)
    with pytest.raises(CircuitOpen):
        await breaker.call_async(good)
    assert breaker.epoch.name == "open"
    clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)
    assert await breaker.call_async(good) == "fine"
    for call in hanging:
        call.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


# -- fencing ------------------------------------------------------------------------------------


async def test_a_stale_failure_does_not_open_it_again(clock: FakeClock, recorder: Recorder) -> None:
    """A call from before the trip that fails during the probes changes nothing, and is told."""
    breaker = make(clock, recorder=recorder)
    stale = asyncio.create_task(
        breaker.call_async(ScriptedCall[str]([ConnectionError("old")], clock=clock, takes=0.5))
    )
    await settle()
    await half_open(breaker, clock)
    await breaker.call_async(good)
    assert breaker.epoch.name == "half-open"
    await clock.advance(1.0)
    await asyncio.gather(stale, return_exceptions=True)
    assert breaker.epoch.name == "half-open"
    assert recorder.of(OutcomeDropped) == [OutcomeDropped("users", "closed", failed=True)]


async def test_a_stale_success_does_not_close_it(clock: FakeClock, recorder: Recorder) -> None:
    """A probe of an earlier trial that comes back good does not close an open breaker."""
    breaker = make(clock, BreakerOptions(probes=2, break_jitter=0.0), recorder)
    await half_open(breaker, clock)
    stale = [asyncio.create_task(breaker.call_async(clock.sleep, 0.5)) for _ in range(2)]
    await settle()
    breaker.open()
    await clock.advance(1.0)
    await asyncio.gather(*stale)
    assert breaker.epoch.name == "open"
    assert recorder.of(OutcomeDropped) == [OutcomeDropped("users", "half-open", failed=False)] * 2


async def test_a_stale_success_of_an_earlier_closed_time_is_no_probe(clock: FakeClock) -> None:
    """Calls from before the trip do not fill the place of a probe."""
    breaker = make(clock, BreakerOptions(probes=1))
    stale = asyncio.create_task(breaker.call_async(clock.sleep, 0.5))
    await settle()
    await half_open(breaker, clock)
    probe = asyncio.create_task(breaker.call_async(clock.sleep, 0.9))
    await clock.advance(0.6)
    await stale
    assert breaker.epoch.name == "half-open"
    await clock.advance(1.0)
    await probe
    assert breaker.epoch.name == "closed"


# -- breaks, ramp ---------------------------------------------------------------------------------


async def test_a_jump_of_the_wall_clock_changes_nothing(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour forth or back on the wall neither ends nor prolongs a break."""
    breaker = make(clock)
    for wall in (time.time() + 3_600, time.time() - 3_600):
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        breaker.open()
        with pytest.raises(CircuitOpen):
            await breaker.call_async(good)
        clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)
        await breaker.call_async(good)
        breaker.close()


async def test_breaks_grow_while_the_trouble_lasts_up_to_their_maximum(clock: FakeClock) -> None:
    """5, 10, 20, 40, 60, 60 seconds: twice as long after each failed trial."""
    breaker = make(clock, BreakerOptions(break_jitter=0.0, window="consecutive"))
    lengths = []
    breaker.trip("trouble")
    for _ in range(6):
        lengths.append(breaker.retry_after(clock.monotonic()) or 0.0)
        clock.jump(lengths[-1])
        await fail(breaker)
    assert lengths == pytest.approx([5, 10, 20, 40, 60, 60])


async def test_after_a_stable_time_the_break_is_short_again(clock: FakeClock) -> None:
    """A breaker that stayed closed through its ramp begins with the first break's length."""
    options = BreakerOptions(break_jitter=0.0, probes=1, ramp_seconds=10.0)
    breaker = make(clock, options)
    for stable, expected in ((1.0, 10.0), (10.0, 5.0)):
        breaker.trip("trouble")
        clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)
        await breaker.call_async(good)
        clock.jump(stable)
        breaker.trip("trouble again")
        assert breaker.retry_after(clock.monotonic()) == pytest.approx(expected)
        breaker.close()
        clock.jump(100.0)


def test_jitter_only_stretches_a_break_and_spreads_replicas(clock: FakeClock) -> None:
    """Breaks lie between once and 1.2 times their length, and differ between replicas."""
    lengths = []
    for seed in range(200):
        breaker = CircuitBreaker("users", clock=clock, rng=random.Random(seed))
        breaker.open()
        lengths.append(breaker.retry_after(clock.monotonic()) or 0.0)
    assert 5.0 <= min(lengths) < 5.1
    assert 5.9 < max(lengths) <= 6.0
    assert len(set(lengths)) > 190


def recovered(clock: FakeClock, breaker: CircuitBreaker) -> None:
    breaker.open()
    breaker.close()
    assert isinstance(breaker.epoch, ClosedState)


async def test_after_a_recovery_calls_are_let_through_in_growing_numbers(clock: FakeClock) -> None:
    """Of 100 calls at a time the share that passes grows from a tenth to all of them."""
    breaker = make(clock, BreakerOptions(ramp_seconds=10.0, ramp_start=0.1, probes=3))
    recovered(clock, breaker)
    passed = []
    for _ in range(12):
        admitted = 0
        epochs = []
        now = clock.monotonic()
        for _ in range(100):
            try:
                epochs.append(breaker.admit(now))
                admitted += 1
            except CircuitOpen as rejection:
                assert rejection.detail == "ramping"
        for epoch in epochs:
            breaker.succeed(epoch, 0.0, now)
        passed.append(admitted)
        clock.jump(1.0)
    assert passed == sorted(passed)
    # The first three in flight pass by themselves.
    assert 10 <= passed[0] <= 14
    assert 50 <= passed[5] <= 58
    assert passed[10:] == [100, 100]


async def test_a_trickle_loses_nothing_to_the_ramp(clock: FakeClock) -> None:
    """As many calls at a time as there were probes always pass."""
    breaker = make(clock, BreakerOptions(ramp_seconds=10.0, ramp_start=0.01, probes=3))
    recovered(clock, breaker)
    for _ in range(50):
        await asyncio.gather(*(breaker.call_async(good) for _ in range(3)))


# -- modes, options, listeners --------------------------------------------------------------------


async def test_forced_open_lets_nothing_through_until_it_is_normal_again(clock: FakeClock) -> None:
    """The mode outlasts any break; going back to normal restores the state underneath."""
    breaker = make(clock)
    breaker.reconfigure(BreakerOptions(mode="forced-open"))
    clock.jump(1e6)
    with pytest.raises(CircuitOpen) as caught:
        await breaker.call_async(good)
    assert caught.value.retry_after is None
    assert caught.value.detail == "forced open"
    breaker.reconfigure(PLAIN)
    assert breaker.open_until == 0.0
    assert await breaker.call_async(good) == "fine"


async def test_disabled_lets_everything_through_and_counts_nothing(clock: FakeClock) -> None:
    """No number of failures opens it, and none is remembered afterwards."""
    breaker = make(clock, BreakerOptions(mode="disabled"))
    await fail(breaker, 500)
    assert breaker.epoch.name == "closed"
    assert breaker.fail_counter == 0
    assert breaker.open_until == 0.0


async def test_metrics_only_tells_when_it_would_open_and_stays_closed(
    clock: FakeClock, recorder: Recorder
) -> None:
    """One event per time that it would have opened; every call passes."""
    options = BreakerOptions(window="consecutive", consecutive_failures=5, mode="metrics-only")
    breaker = make(clock, options, recorder)
    await fail(breaker, 12)
    assert recorder.of(BreakerWouldOpen) == [BreakerWouldOpen("users", "5 bad calls in a row")] * 2
    assert recorder.of(BreakerChanged) == []
    assert await breaker.call_async(good) == "fine"


async def test_new_options_keep_the_state_and_what_was_seen(clock: FakeClock) -> None:
    """Reconfiguring neither closes an open breaker nor forgets the window's failures."""
    breaker = make(clock, BreakerOptions(window_size=50, minimum_calls=50))
    await fail(breaker, 30)
    breaker.reconfigure(BreakerOptions(window_size=40, minimum_calls=40))
    assert breaker.fail_counter == 30
    await fail(breaker, 10)
    assert breaker.epoch.name == "open"
    left = breaker.retry_after(clock.monotonic())
    breaker.reconfigure(BreakerOptions(window_size=10, minimum_calls=5))
    assert breaker.epoch.name == "open"
    assert breaker.retry_after(clock.monotonic()) == left


async def test_a_raising_listener_is_isolated(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Hooks and pybreaker listeners that raise change neither the call nor the state."""
    seen: list[str] = []

    def hook(event: Event) -> None:
        seen.append(type(event).__name__)
        raise RuntimeError("a bug in the metrics")

    class Listener(pybreaker.CircuitBreakerListener):
        def state_change(self, cb: object, old_state: object, new_state: object) -> None:
            seen.append("listener")
            raise RuntimeError("a bug in the logs")

    recorder = Recorder()
    recorder.add(hook)
    breaker = make(clock, recorder=recorder)
    breaker.add_listener(Listener())
    await fail(breaker, 2)
    assert breaker.epoch.name == "open"
    assert seen == ["BreakerChanged", "listener"]
    assert caplog.messages[-1] == "a listener raised on a change of users"


async def test_every_change_of_state_is_told_with_its_reason(
    clock: FakeClock, recorder: Recorder
) -> None:
    """closed → open → half-open → closed, each as one event."""
    breaker = make(clock, recorder=recorder)
    await fail(breaker, 2)
    clock.jump(10.0)
    for _ in range(3):
        await breaker.call_async(good)
    assert recorder.of(BreakerChanged) == [
        BreakerChanged("users", "closed", "open", "2 bad calls in a row", 10.0),
        BreakerChanged("users", "open", "half-open", "the break is over"),
        BreakerChanged("users", "half-open", "closed", "the probes came back good"),
    ]
    assert breaker.open() is False
    assert recorder.events[-1] == BreakerChanged("users", "closed", "open", "opened by hand", 20.0)


async def test_a_hint_lowers_the_threshold_and_opens_nothing_by_itself(clock: FakeClock) -> None:
    """With the factor at a half, half as many failures open; with none it stays closed."""
    breaker = make(clock, BreakerOptions(window_size=20, minimum_calls=20, failure_rate=0.5))
    breaker.threshold_factor = 0.5
    for _ in range(20):
        await breaker.call_async(good)
    assert breaker.epoch.name == "closed"
    await fail(breaker, 5)
    assert breaker.epoch.name == "open"


# -- faces ----------------------------------------------------------------------------------------


async def test_a_decorated_async_function_is_guarded(clock: FakeClock) -> None:
    """`@breaker` guards an `async def` (pybreaker's own leaves it alone) and keeps its face."""
    breaker = make(clock)

    @breaker
    async def lookup(user: int, *, fresh: bool = False) -> int:
        """Look a user up."""
        raise ConnectionError(f"{user} {fresh}")

    assert asyncio.iscoroutinefunction(lookup)
    assert lookup.__doc__ == "Look a user up."
    for _ in range(2):
        with pytest.raises(ConnectionError, match="7 True"):
            await lookup(7, fresh=True)
    with pytest.raises(CircuitOpen):
        await lookup(7)


def test_synchronous_calls_are_guarded_the_same_way(clock: FakeClock) -> None:
    """`call`, the decorator and `calling` count and reject without an event loop."""
    breaker = make(clock)

    @breaker
    def divide(a: int, b: int) -> float:
        return a / b

    assert breaker.call(divide, 4, b=2) == 2.0
    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
    with pytest.raises(ValueError, match="inside"), breaker.calling():
        raise ValueError("inside")
    with pytest.raises(CircuitOpen):
        divide(4, 2)


async def test_no_lock_is_held_while_a_call_runs(clock: FakeClock) -> None:
    """A hundred calls are under way at once, and the state can change meanwhile."""
    breaker = make(clock)
    gate = asyncio.Event()
    calls = [asyncio.create_task(breaker.call_async(gate.wait)) for _ in range(100)]
    await settle()
    breaker.open()
    gate.set()
    assert await asyncio.gather(*calls) == [True] * 100


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"failure_rate": 0.0}, "failure_rate"),
        ({"failure_rate": 1.1}, "failure_rate"),
        ({"window_size": 10, "minimum_calls": 11}, "minimum_calls"),
        ({"probes": 0}, "probes"),
        ({"break_seconds": 10.0, "break_max_seconds": 5.0}, "break_max_seconds"),
        ({"window": "fibonacci"}, "window"),
        ({"mode": "maybe"}, "mode"),
        ({"slow_seconds": 0.0}, "slow_seconds"),
        ({"ramp_start": 0.0}, "ramp_start"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    wrong: dict[str, object], option: str
) -> None:
    """Each impossible value names its option."""
    with pytest.raises(InvalidOptionsError) as caught:
        BreakerOptions(**wrong)  # type: ignore[arg-type]
    assert [name for name, _ in caught.value.problems] == [option]


async def test_a_breaker_is_idle_only_when_it_has_nothing_to_remember(clock: FakeClock) -> None:
    """Calls in flight, failures in sight, a ramp or an open state keep it from being forgotten."""
    breaker = make(clock)
    assert breaker.idle
    call = asyncio.create_task(breaker.call_async(clock.sleep, 0.5))
    await settle()
    assert not idle(breaker)
    await clock.advance(0.5)
    await call
    await fail(breaker)
    assert not idle(breaker)
    await breaker.call_async(good)
    assert idle(breaker)
    breaker.open()
    assert not idle(breaker)


def idle(breaker: CircuitBreaker) -> bool:
    return breaker.idle


async def test_a_rejection_that_took_long_is_no_slow_call(clock: FakeClock) -> None:
    """Waiting in a full queue within the breaker says nothing about the dependency."""
    breaker = make(clock, BreakerOptions(window_size=10, minimum_calls=5, slow_seconds=1.0))
    queue = ScriptedCall[str]([BulkheadFull("users")], clock=clock, takes=2.0)
    for _ in range(10):
        task = asyncio.create_task(breaker.call_async(queue))
        await clock.advance(2.0)
        await asyncio.gather(task, return_exceptions=True)
    assert breaker.epoch.name == "closed"
    assert breaker.idle


async def test_a_late_probe_gets_its_time(clock: FakeClock) -> None:
    """With little traffic the last probe may go out late; the next caller does not end the trial."""
    breaker = make(clock, BreakerOptions(probes=2, half_open_seconds=30.0, slow_seconds=50.0))
    await half_open(breaker, clock)
    await breaker.call_async(good)
    clock.jump(29.0)
    probe = asyncio.create_task(breaker.call_async(clock.sleep, 5.0))
    await settle()
    clock.jump(2.0)
    with pytest.raises(CircuitOpen, match="half-open"):
        await breaker.call_async(good)
    assert breaker.epoch.name == "half-open"
    await clock.advance(5.0)
    await probe
    assert breaker.epoch.name == "closed"


async def test_an_open_breaker_that_becomes_metrics_only_lets_all_pass(
    clock: FakeClock, recorder: Recorder
) -> None:
    """The mode ends a break, a trial and a ramp that are under way, and tells of it."""
    options = BreakerOptions(mode="metrics-only", ramp_seconds=10.0, ramp_start=0.01, probes=1)
    for state in ("open", "half-open", "ramping"):
        breaker = make(clock, replace(options, mode="normal"), recorder)
        await half_open(breaker, clock)
        if state == "open":
            breaker.open()
        elif state == "half-open":
            breaker.half_open()
        else:
            await breaker.call_async(good)
        breaker.reconfigure(options)
        assert [await breaker.call_async(good) for _ in range(5)] == ["fine"] * 5
        assert len({id(breaker.admit(clock.monotonic())) for _ in range(50)}) == 1
        assert breaker.current_state == "closed"
        told = recorder.of(BreakerChanged)[-1]
        assert isinstance(told, BreakerChanged)
        assert (told.after, told.reason) == ("closed", "metrics only")


async def test_a_closed_breaker_that_becomes_metrics_only_keeps_what_it_saw(
    clock: FakeClock, recorder: Recorder
) -> None:
    """Nothing was under way that the mode would have to end."""
    breaker = make(clock, recorder=recorder)
    await fail(breaker)
    breaker.reconfigure(replace(PLAIN, mode="metrics-only"))
    assert breaker.fail_counter == 1
    assert recorder.events == []


async def test_a_reload_that_asks_for_fewer_probes_does_not_leave_it_half_open(
    clock: FakeClock,
) -> None:
    """With as many good probes back as are asked for now it closes; no further one would come."""
    breaker = make(clock)
    await half_open(breaker, clock)
    await breaker.call_async(good)
    await breaker.call_async(good)
    assert breaker.epoch.name == "half-open"
    breaker.reconfigure(replace(PLAIN, probes=2))
    assert breaker.epoch.name == "closed"
    assert await breaker.call_async(good) == "fine"


async def test_a_reload_does_not_end_a_trial_that_goes_on(clock: FakeClock) -> None:
    """With fewer good probes back than are asked for it stays half-open."""
    breaker = make(clock)
    await half_open(breaker, clock)
    await breaker.call_async(good)
    breaker.reconfigure(replace(PLAIN, probes=2))
    assert breaker.epoch.name == "half-open"
    await breaker.call_async(good)
    assert breaker.epoch.name == "closed"


async def test_a_classifier_that_raises_leaks_no_permit(clock: FakeClock) -> None:
    """What cannot be judged is a failure; the call keeps its own error."""

    def broken(error: Exception) -> Verdict:
        raise RuntimeError("a bug in the classifier")

    breaker = CircuitBreaker("users", PLAIN, clock=clock, classifier=broken)
    await fail(breaker)
    assert isinstance(breaker.epoch, ClosedState)
    assert (breaker.epoch.in_flight, breaker.fail_counter) == (0, 1)


def test_pybreakers_listeners_hear_each_change_once(clock: FakeClock) -> None:
    """With the states before and after, each of which knows its breaker."""
    heard: list[tuple[str, str]] = []

    class Listener(pybreaker.CircuitBreakerListener):
        def state_change(self, cb: object, old_state: Any, new_state: Any) -> None:
            assert old_state._breaker is new_state._breaker is cb is breaker
            heard.append((old_state.name, new_state.name))

    breaker = make(clock)
    breaker.add_listener(Listener())
    breaker.open()
    breaker.half_open()
    breaker.close()
    assert heard == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_a_cancelled_call_is_slow_from_exactly_the_configured_time_on(clock: FakeClock) -> None:
    """A moment earlier it says nothing."""
    breaker = make(clock, BreakerOptions(slow_seconds=1.0))
    now = clock.monotonic()
    for seconds, slow in ((0.999, 0), (1.0, 1)):
        breaker.fail(breaker.admit(now), asyncio.CancelledError(), seconds, now)
        assert breaker.state.window.slow == slow


async def test_a_definite_answer_counts_at_its_own_time(clock: FakeClock) -> None:
    """In a window of time as well: it is a good call of now."""
    breaker = make(clock, BreakerOptions(window="time", window_seconds=10.0, minimum_calls=2))
    await fail(breaker)
    clock.jump(60.0)
    with pytest.raises(Answer):
        await breaker.call_async(ScriptedCall[str]([Answer("not found")]))
    assert breaker.epoch.name == "closed"
    assert breaker.fail_counter == 0


def test_a_state_that_does_not_exist_is_refused(clock: FakeClock) -> None:
    """pybreaker's setter takes any text; a misspelling must not pass for a state."""
    breaker = make(clock)
    with pytest.raises(ValueError, match="unknown state 'ajar': use closed, open or half-open"):
        breaker.state = "ajar"


def test_the_time_until_the_first_probe_is_exact(clock: FakeClock) -> None:
    """It runs down to zero and not below, and a closed breaker has none."""
    breaker = make(clock)
    assert breaker.retry_after(clock.monotonic()) is None
    breaker.open()
    for left in (10.0, 0.25, 0.0, 0.0):
        clock.jump(breaker.open_until - left - clock.monotonic() if left else 1.0)
        assert breaker.retry_after(clock.monotonic()) == pytest.approx(left)


async def test_a_smaller_window_forgets_and_an_unchanged_one_does_not(clock: FakeClock) -> None:
    """Only a change of the window's shape touches what it holds."""
    count = BreakerOptions(window_size=50, minimum_calls=50)
    breaker = make(clock, count)
    await fail(breaker, 30)
    breaker.reconfigure(replace(count, window_size=10, minimum_calls=10, failure_rate=1.0))
    assert breaker.fail_counter == 10
    timed = BreakerOptions(window="time", minimum_calls=50)
    breaker = make(clock, timed)
    await fail(breaker, 30)
    breaker.reconfigure(replace(timed, slow_rate=0.5))
    assert breaker.fail_counter == 30
    breaker.reconfigure(replace(timed, window_buckets=5))
    assert breaker.fail_counter == 0


def test_breaks_that_grow_slowly_grow_to_their_maximum(clock: FakeClock) -> None:
    """However small the growth and however many the breaks: nothing stops it short, or overflows."""
    breaker = make(clock, BreakerOptions(break_growth=1.01, break_jitter=0.0))
    lengths = []
    for _ in range(2_000):
        breaker.open()
        lengths.append(breaker.retry_after(clock.monotonic()) or 0.0)
    assert lengths[100] == pytest.approx(5.0 * 1.01**100)
    assert lengths[-1] == 60.0


async def test_the_first_break_may_be_shorter_than_a_second(clock: FakeClock) -> None:
    """The first one, and the first one after a stable time, are exactly as configured."""
    options = BreakerOptions(
        break_seconds=0.25, break_jitter=0.0, probes=1, ramp_seconds=0.0, window="consecutive"
    )
    breaker = make(clock, options)
    for _ in range(2):
        breaker.trip("trouble")
        assert breaker.retry_after(clock.monotonic()) == pytest.approx(0.25)
        clock.jump(0.25)
        await breaker.call_async(good)
        clock.jump(0.25)
