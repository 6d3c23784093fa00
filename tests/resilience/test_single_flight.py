"""Single flight: one call for all who ask the same, and nobody bound to another's fate."""

import asyncio
import gc

import pytest

from resilience.context import Priority, call_context, current_deadline
from resilience.deadline import Deadline, DeadlineExceeded
from resilience.errors import LoadShed
from resilience.events import FlightJoined
from resilience.single_flight import SingleFlight
from resilience.testing import FakeClock, ScriptedCall, settle

from .conftest import NoGarbage, Recorder, run_plainly


def make(clock: FakeClock, recorder: Recorder | None = None) -> SingleFlight:
    return SingleFlight("users", clock=clock, events=recorder or Recorder())


async def test_equal_calls_at_the_same_time_are_one(clock: FakeClock, recorder: Recorder) -> None:
    """Fifty callers of one key make one call and get its answer; nothing is kept after."""
    flight = make(clock, recorder)
    call = ScriptedCall[str](["ana"], clock=clock, takes=0.1)
    callers = [asyncio.create_task(flight.call("ana", call)) for _ in range(50)]
    await clock.advance(0.1)
    assert await asyncio.gather(*callers) == ["ana"] * 50
    assert call.calls == 1
    assert recorder.of(FlightJoined) == [FlightJoined("users")] * 49
    assert len(flight) == 0
    later = asyncio.create_task(flight.call("ana", call))
    await clock.advance(0.1)
    await later
    assert call.calls == 2


async def test_different_keys_do_not_meet(clock: FakeClock) -> None:
    """Each key has its own call and answer."""
    flight = make(clock)

    async def ask(name: str) -> str:
        await clock.sleep(0.1)
        return name

    callers = [
        asyncio.create_task(flight.call(name, lambda name=name: ask(name)))  # type: ignore[misc]
        for name in ("ana", "bia")
    ]
    await clock.advance(0.1)
    assert await asyncio.gather(*callers) == ["ana", "bia"]


async def test_an_error_of_the_dependency_is_everybodys_answer(clock: FakeClock) -> None:
    """A failing dependency is asked once as well."""
    flight = make(clock)
    call = ScriptedCall[str]([ConnectionError("down")], clock=clock, takes=0.1)
    callers = [asyncio.create_task(flight.call("ana", call)) for _ in range(10)]
    await clock.advance(0.1)
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
    assert call.calls == 1


async def test_followers_survive_the_leaders_cancellation(clock: FakeClock) -> None:
    """When the leader is cancelled, exactly one follower leads on and all get an answer."""
    flight = make(clock)
    call = ScriptedCall[str](["ana"], clock=clock, takes=1.0)
    leader = asyncio.create_task(flight.call("ana", call))
    await clock.advance(0.5)
    followers = [asyncio.create_task(flight.call("ana", call)) for _ in range(10)]
    await settle()
    leader.cancel()
    await clock.advance(2.0)
    assert leader.cancelled()
    assert await asyncio.gather(*followers) == ["ana"] * 10
    assert call.calls == 2


async def test_a_cancelled_follower_disturbs_nobody(clock: FakeClock) -> None:
    """The leader and the other followers go on."""
    flight = make(clock)
    call = ScriptedCall[str](["ana"], clock=clock, takes=1.0)
    callers = [asyncio.create_task(flight.call("ana", call)) for _ in range(3)]
    await settle()
    callers[1].cancel()
    await clock.advance(1.0)
    assert callers[1].cancelled()
    assert [await callers[0], await callers[2]] == ["ana", "ana"]


async def test_each_follower_keeps_its_own_deadline(clock: FakeClock) -> None:
    """A hurried follower leaves at its deadline; a patient one gets the answer."""
    flight = make(clock)
    call = ScriptedCall[str](["ana"], clock=clock, takes=1.0)
    leader = asyncio.create_task(flight.call("ana", call))
    await settle()
    with call_context(deadline=Deadline.after(0.3, clock)):
        hurried = asyncio.create_task(flight.call("ana", call))
    with call_context(deadline=Deadline.after(5.0, clock)):
        patient = asyncio.create_task(flight.call("ana", call))
    await clock.advance(0.3)
    with pytest.raises(DeadlineExceeded):
        await hurried
    await clock.advance(0.7)
    assert [await leader, await patient] == ["ana", "ana"]


@pytest.mark.parametrize("error", [DeadlineExceeded("mine"), LoadShed("users", 1.0, "BACKGROUND")])
async def test_what_befalls_the_leader_alone_is_no_answer_for_others(
    clock: FakeClock, error: Exception
) -> None:
    """The leader's short deadline or low priority ends the leader; a follower asks anew."""
    flight = make(clock)
    call = ScriptedCall[str]([error, "ana"], clock=clock, takes=0.1)
    with call_context(priority=Priority.BACKGROUND):
        leader = asyncio.create_task(flight.call("ana", call))
    await settle()
    follower = asyncio.create_task(flight.call("ana", call))
    await clock.advance(1.0)
    with pytest.raises(type(error)):
        await leader
    assert await follower == "ana"


async def test_an_error_that_nobody_waits_for_any_more_is_nobodys_bug(clock: FakeClock) -> None:
    """When all followers have left, the leader's error is not reported as never looked at."""
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(context["message"])
    )
    flight = make(clock)
    call = ScriptedCall[str]([ConnectionError("down")], clock=clock, takes=1.0)
    leader = asyncio.create_task(flight.call("ana", call))
    await settle()
    follower = asyncio.create_task(flight.call("ana", call))
    await settle()
    follower.cancel()
    await clock.advance(1.0)
    assert isinstance(leader.exception(), ConnectionError)
    # What was raised holds frames, and these the flight.
    del call, leader, follower
    gc.collect()
    await settle()
    assert reported == []


async def test_followers_that_left_are_forgotten(clock: FakeClock) -> None:
    """However many come and go while the leader is under way, nothing of them is held."""
    flight = make(clock)
    leader = asyncio.create_task(flight.call("ana", lambda: clock.sleep(60)))
    await settle()
    for _ in range(20):
        follower = asyncio.create_task(flight.call("ana", lambda: clock.sleep(60)))
        await settle()
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
    landed = flight._flights["ana"].landed
    assert landed is not None
    assert len(landed._callbacks) == 1
    await clock.advance(60)
    await leader


def test_a_flight_without_followers_leaves_no_garbage(clock: FakeClock) -> None:
    """A thousand flights leave no entry and give the collector nothing to do."""
    flight = make(clock)
    call = ScriptedCall[str](["ana"])

    async def calls() -> None:
        await flight.call("ana", call)
        with NoGarbage():
            for number in range(1_000):
                await flight.call(number, call)
        assert len(flight) == 0

    run_plainly(calls())


async def test_followers_of_one_leader_after_another_keep_to_their_own_time(
    clock: FakeClock,
) -> None:
    """When each leader runs out of its time, who waited behind it has no more than was left."""
    flight = make(clock)
    started = clock.monotonic()
    ended: list[float] = []

    async def hang() -> str:
        deadline = current_deadline()
        left = 2.0 if deadline is None else min(2.0, deadline.remaining())
        await clock.sleep(left)
        raise DeadlineExceeded("the leader's time is up")

    async def ask() -> None:
        try:
            await flight.call("ana", hang, seconds=2.0)
        except DeadlineExceeded:
            ended.append(clock.monotonic() - started)

    callers = []
    for _ in range(5):
        callers.append(asyncio.create_task(ask()))
        await clock.advance(0.1)
    await clock.advance(60)
    await asyncio.gather(*callers)
    assert ended == pytest.approx([2.0, 2.1, 2.2, 2.3, 2.4])


async def test_a_followers_earlier_deadline_holds_although_it_may_take_longer(
    clock: FakeClock,
) -> None:
    """Of its own deadline and the time that a call may take, the earlier ends its waiting."""
    flight = make(clock)
    leader = asyncio.create_task(flight.call("ana", lambda: clock.sleep(30), seconds=5.0))
    await settle()
    with call_context(deadline=Deadline.after(1.0, clock)):
        hurried = asyncio.create_task(flight.call("ana", lambda: clock.sleep(30), seconds=5.0))
    patient = asyncio.create_task(flight.call("ana", lambda: clock.sleep(30), seconds=5.0))
    await clock.advance(1.0)
    assert isinstance(hurried.exception(), DeadlineExceeded)
    assert str(hurried.exception()) == "users: the deadline passed behind an equal call"
    assert not patient.done()
    await clock.advance(4.0)
    assert isinstance(patient.exception(), DeadlineExceeded)
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)


async def test_it_tells_whether_a_call_is_under_way(clock: FakeClock) -> None:
    """A key is in it from the leader's start to its end."""
    flight = make(clock)
    assert "ana" not in flight
    leader = asyncio.create_task(flight.call("ana", lambda: clock.sleep(1)))
    await settle()
    assert "ana" in flight
    assert "bia" not in flight
    await clock.advance(1)
    await leader
    assert "ana" not in flight
