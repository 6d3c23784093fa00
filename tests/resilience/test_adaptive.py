"""The adaptive limit: it finds what a dependency bears, and gives way when latency grows."""

import asyncio
import random
from itertools import pairwise

import pytest

from resilience.adaptive import AdaptiveLimit, AdaptiveOptions
from resilience.deadline import DeadlineExceeded
from resilience.errors import AttemptTimedOut, ConcurrencyLimited
from resilience.events import LimitChanged
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, settle

from .conftest import Recorder

QUICK = AdaptiveOptions(initial=10, minimum=2, maximum=100, window_seconds=1.0, probe_seconds=1e9)


def make(
    clock: FakeClock, options: AdaptiveOptions = QUICK, recorder: Recorder | None = None
) -> AdaptiveLimit:
    return AdaptiveLimit(
        "users", options, clock=clock, rng=random.Random(4), events=recorder or Recorder()
    )


def window(limit: AdaptiveLimit, clock: FakeClock, seconds: float, calls: int = 200) -> None:
    """A window in which as many calls run as may, each taking `seconds`."""
    for _ in range(calls // max(1, limit.limit) + 1):
        admitted = 0
        while admitted < calls:
            try:
                limit.acquire()
            except ConcurrencyLimited:
                break
            admitted += 1
        for _ in range(admitted):
            limit.succeed(seconds, clock.monotonic())
    clock.jump(1.5)
    limit.acquire()
    limit.succeed(seconds, clock.monotonic())


def test_while_latency_is_at_its_baseline_the_limit_grows(clock: FakeClock) -> None:
    """Healthy answers at full use raise the limit, up to the maximum and not beyond."""
    limit = make(clock)
    limits = []
    for _ in range(60):
        window(limit, clock, 0.02)
        limits.append(limit.limit)
    assert limits == sorted(limits)
    assert limits[10] > 15
    assert limits[-1] == 100


def test_when_calls_take_longer_the_limit_shrinks_and_comes_back(clock: FakeClock) -> None:
    """Ten times the latency brings it down; healthy latency brings it up again."""
    limit = make(clock)
    for _ in range(30):
        window(limit, clock, 0.02)
    healthy = limit.limit
    for _ in range(20):
        window(limit, clock, 0.2)
    assert limit.limit < healthy / 4
    assert limit.limit >= 2
    for _ in range(40):
        window(limit, clock, 0.02)
    assert limit.limit > healthy / 2


def test_a_limit_that_is_not_used_learns_nothing(clock: FakeClock) -> None:
    """One call at a time neither raises nor lowers it, at any latency."""
    limit = make(clock)
    for seconds in (0.02, 0.5):
        for _ in range(400):
            limit.acquire()
            limit.succeed(seconds, clock.monotonic())
            clock.jump(0.05)
    assert limit.limit == 10


def test_timeouts_shrink_the_limit_without_any_answer(clock: FakeClock) -> None:
    """A dependency that answers nobody is asked by fewer and fewer, down to the minimum."""
    limit = make(clock)
    for _ in range(40):
        limit.acquire()
        clock.jump(1.5)
        limit.fail(AttemptTimedOut(), 1.0, clock.monotonic())
    assert limit.limit == 2


@pytest.mark.parametrize(
    "error", [ConnectionError("refused"), DeadlineExceeded("a short one"), asyncio.CancelledError()]
)
def test_errors_that_tell_no_latency_change_nothing(clock: FakeClock, error: BaseException) -> None:
    """Refusals, short deadlines and cancellations are no sign of overload by themselves."""
    limit = make(clock)
    window(limit, clock, 0.02)
    before = limit.learned
    for _ in range(50):
        limit.acquire()
        clock.jump(1.5)
        limit.fail(error, 0.001, clock.monotonic())
    assert limit.learned == before
    assert limit.in_flight == 0


def test_a_deadline_that_passed_after_a_long_wait_is_overload(clock: FakeClock) -> None:
    """A call that outlived the tolerated latency and was given up shrinks the limit."""
    limit = make(clock)
    window(limit, clock, 0.02)
    before = limit.learned
    limit.acquire()
    clock.jump(1.5)
    limit.fail(DeadlineExceeded("after a long wait"), 1.0, clock.monotonic())
    assert limit.learned < before


def test_now_and_then_the_limit_is_halved_to_see_the_baseline(clock: FakeClock) -> None:
    """A probe lasts one window, comes at jittered times, and leaves what was learned alone."""
    options = AdaptiveOptions(initial=40, window_seconds=1.0, probe_seconds=20.0, maximum=40)
    limit = make(clock, options)
    limits = []
    for _ in range(60):
        window(limit, clock, 0.02)
        limits.append(limit.limit)
    probes = [index for index, value in enumerate(limits) if value == 20]
    assert set(limits) == {20, 40}
    assert 3 <= len(probes) <= 6
    assert all(later - earlier > 1 for earlier, later in pairwise(probes))


def test_replicas_do_not_move_in_step(clock: FakeClock) -> None:
    """Windows of replicas that started together end at different times."""
    ends = {
        AdaptiveLimit("users", QUICK, clock=clock, rng=random.Random(seed))._window_ends
        for seed in range(20)
    }
    assert len(ends) == 20
    assert max(ends) - min(ends) <= 0.5


async def test_above_the_limit_calls_are_turned_away(clock: FakeClock) -> None:
    """As many run as the limit says; the next is rejected; each end makes room."""
    limit = make(clock)
    gate = asyncio.Event()
    calls = [asyncio.create_task(limit.call(gate.wait)) for _ in range(10)]
    await settle()
    assert limit.load == 1.0
    with pytest.raises(ConcurrencyLimited, match="10 in flight"):
        await limit.call(gate.wait)
    gate.set()
    await asyncio.gather(*calls)
    assert limit.in_flight == 0


async def test_however_a_call_ends_its_place_is_free(clock: FakeClock) -> None:
    """Failing and cancelled calls give their place back."""
    limit = make(clock)

    async def fails() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await limit.call(fails)
    hanging = asyncio.create_task(limit.call(asyncio.Event().wait))
    await settle()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert limit.in_flight == 0


def test_new_options_keep_what_was_learned_within_their_bounds(clock: FakeClock) -> None:
    """Reconfiguring does not start over."""
    limit = make(clock)
    for _ in range(30):
        window(limit, clock, 0.02)
    learned = limit.limit
    limit.reconfigure(AdaptiveOptions(initial=5, minimum=2, maximum=200))
    assert limit.limit == learned
    limit.reconfigure(AdaptiveOptions(initial=5, minimum=2, maximum=20))
    assert limit.limit == 20


def test_a_moved_limit_is_told(clock: FakeClock, recorder: Recorder) -> None:
    """The event says the new limit, the latency and the baseline."""
    limit = make(clock, recorder=recorder)
    for _ in range(3):
        window(limit, clock, 0.02)
    event = recorder.of(LimitChanged)[-1]
    assert isinstance(event, LimitChanged)
    assert (event.latency, event.baseline) == (0.02, 0.02)
    assert event.limit > 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum": 0},
        {"maximum": 1},
        {"initial": 1_000},
        {"tolerance": 0.9},
        {"backoff": 1.0},
        {"window_samples": 0},
    ],
)
def test_limits_that_could_not_learn_are_refused(wrong: dict[str, float]) -> None:
    """Bounds out of order and factors out of range make no sense."""
    with pytest.raises(InvalidOptionsError):
        AdaptiveOptions(**wrong)  # type: ignore[arg-type]
