"""The breaker's three states, each exactly at its edge: what trips, what passes, what it says."""

import asyncio
from dataclasses import replace

import pytest

from resilience.breaker import BreakerOptions
from resilience.errors import CircuitOpen
from resilience.events import BreakerChanged
from resilience.testing import FakeClock, settle

from .conftest import Recorder
from .test_breaker import PLAIN, fail, good, half_open, idle, make, recovered


def reasons(recorder: Recorder) -> list[str]:
    """Why it opened, each time."""
    changes = [event for event in recorder.events if isinstance(event, BreakerChanged)]
    return [change.reason for change in changes if change.after == "open"]


async def test_one_failure_is_a_run_of_one(clock: FakeClock, recorder: Recorder) -> None:
    """The shortest run that can be asked for opens at the first failure."""
    breaker = make(clock, replace(PLAIN, consecutive_failures=1), recorder)
    await fail(breaker)
    assert breaker.epoch.name == "open"
    assert reasons(recorder) == ["1 bad calls in a row"]


@pytest.mark.parametrize(("factor", "needed"), [(1.0, 4), (0.5, 2), (0.1, 1)])
async def test_a_hint_shortens_the_run_that_opens(
    clock: FakeClock, factor: float, needed: int
) -> None:
    """Half of four failures are two; never fewer than one."""
    breaker = make(clock, replace(PLAIN, consecutive_failures=4))
    breaker.threshold_factor = factor
    await fail(breaker, needed - 1)
    assert breaker.epoch.name == "closed"
    await fail(breaker)
    assert breaker.epoch.name == "open"


@pytest.mark.parametrize(("factor", "needed"), [(1.0, 4), (0.5, 2)])
def test_exactly_the_share_of_slow_calls_opens(
    clock: FakeClock, recorder: Recorder, factor: float, needed: int
) -> None:
    """Four slow calls of five open at a rate of 0.8 and three do not; a hint halves them."""
    for slow in (needed - 1, needed):
        options = BreakerOptions(window_size=10, minimum_calls=5, slow_seconds=1.0, slow_rate=0.8)
        breaker = make(clock, options, recorder)
        breaker.threshold_factor = factor
        now = clock.monotonic()
        for number in range(5):
            breaker.succeed(breaker.admit(now), 1.0 if number < slow else 0.999, now)
        assert breaker.epoch.name == ("open" if slow == needed else "closed")
    assert reasons(recorder) == [f"{needed} of 5 calls were slow"]


async def test_exactly_the_share_of_failures_opens(clock: FakeClock, recorder: Recorder) -> None:
    """Five failures of ten open at a rate of a half, and the event says so."""
    breaker = make(clock, BreakerOptions(window_size=10, minimum_calls=10), recorder)
    for _ in range(5):
        await breaker.call_async(good)
    await fail(breaker, 5)
    assert reasons(recorder) == ["5 of 10 calls failed"]


def test_on_the_ramp_each_call_pays_its_share(clock: FakeClock) -> None:
    """A quarter passes at the start: every fourth call, beside as many as there were probes."""
    options = BreakerOptions(ramp_seconds=10.0, ramp_start=0.25, probes=1, break_jitter=0.0)
    breaker = make(clock, options)
    recovered(clock, breaker)

    def admitted() -> bool:
        try:
            breaker.admit(clock.monotonic())
        except CircuitOpen as rejection:
            assert rejection.retry_after == pytest.approx(left)
            assert rejection.detail == "ramping"
            return False
        return True

    left = 10.0
    assert [admitted() for _ in range(8)] == [True, False, False, True, False, False, False, True]
    clock.jump(9.5)
    left = 0.5
    assert 90 <= sum(admitted() for _ in range(100)) < 100


def test_the_ramp_is_over_at_its_end(clock: FakeClock) -> None:
    """From then on every call passes, and nothing of it is left to remember."""
    breaker = make(clock, BreakerOptions(ramp_seconds=10.0, ramp_start=0.01, probes=1))
    recovered(clock, breaker)
    clock.jump(10.0)
    assert not breaker.idle
    epochs = [breaker.admit(clock.monotonic()) for _ in range(10)]
    for epoch in epochs:
        breaker.succeed(epoch, 0.0, clock.monotonic())
    assert idle(breaker)


async def test_a_cancelled_probe_makes_room_for_exactly_one(clock: FakeClock) -> None:
    """One permit of three comes back, so one more call probes, and the next is turned away."""
    breaker = make(clock)
    await half_open(breaker, clock)
    wave = [asyncio.create_task(breaker.call_async(clock.sleep, 0.5)) for _ in range(3)]
    await settle()
    wave[0].cancel()
    await asyncio.gather(wave[0], return_exceptions=True)
    wave.append(asyncio.create_task(breaker.call_async(clock.sleep, 0.5)))
    await settle()
    with pytest.raises(CircuitOpen) as caught:
        await breaker.call_async(good)
    assert caught.value.detail == "half-open"
    assert caught.value.retry_after == breaker.options.slow_seconds
    await clock.advance(0.5)
    assert breaker.epoch.name == "closed"


async def test_each_end_of_a_trial_says_its_reason(clock: FakeClock, recorder: Recorder) -> None:
    """A probe failed, was slow, or none came back: three reasons, and the caller's own rejection."""
    breaker = make(clock, replace(PLAIN, probes=1), recorder)
    await half_open(breaker, clock)
    await fail(breaker)
    clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)
    now = clock.monotonic()
    breaker.succeed(breaker.admit(now), 1.0, now)
    clock.jump(breaker.retry_after(clock.monotonic()) or 0.0)
    breaker.admit(clock.monotonic())
    clock.jump(29.999)
    with pytest.raises(CircuitOpen, match="half-open"):
        breaker.admit(clock.monotonic())
    clock.jump(0.001)
    with pytest.raises(CircuitOpen) as caught:
        breaker.admit(clock.monotonic())
    assert reasons(recorder) == [
        "opened by hand",
        "a probe failed",
        "a probe was slow",
        "the probes did not come back",
    ]
    assert caught.value.detail == "open"
    assert caught.value.retry_after == breaker.retry_after(clock.monotonic()) == 60.0
