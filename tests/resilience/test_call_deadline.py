"""The deadline policy: shortens, publishes, and turns away what comes too late."""

import asyncio

import pytest

from resilience.call_deadline import CallDeadline, DeadlineOptions
from resilience.context import call_context, current_deadline
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.events import CallRejected
from resilience.options import InvalidOptionsError
from resilience.testing import FakeClock, ScriptedCall

from .conftest import Recorder


async def left() -> float:
    deadline = current_deadline()
    assert deadline is not None
    return deadline.remaining()


async def test_the_call_has_the_shorter_of_the_requests_time_and_ours(clock: FakeClock) -> None:
    """Without a request's deadline it has ours; with one, the earlier of both."""
    policy = CallDeadline("users", DeadlineOptions(seconds=2.0), clock=clock)
    assert await policy.call(left) == pytest.approx(2.0)
    for seconds, expected in ((0.5, 0.5), (5.0, 2.0)):
        with call_context(deadline=Deadline.after(seconds, clock)):
            assert await policy.call(left) == pytest.approx(expected)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.002])
async def test_what_comes_too_late_is_not_begun(
    clock: FakeClock, recorder: Recorder, seconds: float
) -> None:
    """With no time for a round trip the call is not made, and that is told."""
    policy = CallDeadline("users", clock=clock, events=recorder)
    call = ScriptedCall[str](["never"])
    with call_context(deadline=Deadline.after(seconds, clock)), pytest.raises(DeadlineExceeded):
        await policy.call(call)
    assert call.calls == 0
    assert recorder.events == [CallRejected("users", "deadline", "DeadlineExceeded", None)]


async def test_a_call_is_ended_at_its_deadline(clock: FakeClock) -> None:
    """A hang ends in time, as the deadline's doing."""
    policy = CallDeadline("users", DeadlineOptions(seconds=2.0), clock=clock)
    task = asyncio.create_task(policy.call(clock.sleep, 60))
    await clock.advance(1.99)
    assert not task.done()
    await clock.advance(0.01)
    with pytest.raises(DeadlineExceeded):
        await task


async def test_where_it_is_not_enforced_it_is_only_looked_at(clock: FakeClock) -> None:
    """Without a timer a call may run on; the next one is turned away."""
    policy = CallDeadline("users", DeadlineOptions(enforce=False), clock=clock)
    with call_context(deadline=Deadline.after(1.0, clock)):
        task = asyncio.create_task(policy.call(clock.sleep, 5))
        await clock.advance(5)
        await task
        with pytest.raises(DeadlineExceeded):
            await policy.call(left)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"minimum_seconds": 2.0}, {"seconds": 1e9}])
def test_deadlines_that_allow_no_call_are_refused(wrong: dict[str, float]) -> None:
    """There is always some time, and less for beginning than in all."""
    with pytest.raises(InvalidOptionsError):
        DeadlineOptions(**wrong)  # type: ignore[arg-type]


def test_a_requests_deadline_that_is_no_later_is_used_as_it_is(clock: FakeClock) -> None:
    """No new one is made for every call; one of ours runs on the policy's clock."""
    policy = CallDeadline("users", DeadlineOptions(seconds=2.0), clock=clock)
    now = clock.monotonic()
    requests = Deadline.after(2.0, clock)
    assert policy.enter(now, requests) is requests
    for ours in (policy.enter(now, None), policy.enter(now, Deadline.after(3.0, clock))):
        assert ours == Deadline(now + 2.0, clock)
        assert ours.as_deadline().clock is clock


@pytest.mark.parametrize(
    ("left", "told"), [(0.75, "750 ms"), (0.0, "0 ms"), (-1.0, "0 ms"), (0.125, "125 ms")]
)
def test_what_is_left_is_told_in_whole_milliseconds(
    clock: FakeClock, left: float, told: str
) -> None:
    """With exactly the minimum left no call begins, and the error says how little there was."""
    options = DeadlineOptions(seconds=2.0, minimum_seconds=0.75)
    policy = CallDeadline("users", options, clock=clock)
    with pytest.raises(DeadlineExceeded, match=f"^users: {told} are left, too little for a call$"):
        policy.enter(clock.monotonic(), Deadline.after(left, clock))
    assert policy.enter(clock.monotonic(), Deadline.after(0.751, clock))


async def test_a_call_that_was_ended_says_whose_it_was(clock: FakeClock) -> None:
    """The error names the dependency."""
    policy = CallDeadline("users", DeadlineOptions(seconds=2.0), clock=clock)
    task = asyncio.create_task(policy.call(clock.sleep, 60))
    await clock.advance(2.0)
    with pytest.raises(DeadlineExceeded, match=r"^users: the deadline passed during the call$"):
        await task
