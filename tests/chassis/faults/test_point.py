"""The fault point keeps its faults on a leash: bounded, leased, told in the log."""

from typing import Any

import pytest
import structlog

from chassis.errors import CodedError
from chassis.faults.contract import NewFault
from chassis.faults.point import MAX_FAULTS, FaultPoint
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import TOKEN, new_point


@pytest.fixture
def point(clock: FakeClock) -> FaultPoint:
    return new_point(clock=clock)


def wanted(type_: str = "abort", lease: float = 60, **more: Any) -> NewFault:
    return NewFault(type=type_, lease_seconds=lease, **more)


async def test_leases_end_by_themselves(point: FaultPoint, clock: FakeClock) -> None:
    """Each at its own time, and no timer is left behind."""
    short, long = point.add(wanted(lease=10)), point.add(wanted(lease=20))
    await clock.advance(10)
    assert short.over
    assert [fault.id for fault in point.faults] == [long.id]

    await clock.advance(10)

    assert not point.faults
    assert clock.sleepers == 0


def test_a_lease_needs_nobody_to_end_it(point: FaultPoint, clock: FakeClock) -> None:
    """Even if the loop is too busy for its timers, no request meets a fault after its lease."""
    point.add(wanted(lease=10))
    clock.jump(10)

    assert point.http_faults == ()


async def test_renewed_in_time(point: FaultPoint, clock: FakeClock) -> None:
    """A heartbeat keeps the fault; the first one that is missing ends it."""
    fault = point.add(wanted(lease=10))
    for _ in range(5):
        await clock.advance(6)
        point.renew(fault.id, 10)
    assert point.faults == (fault,)

    await clock.advance(10)

    with pytest.raises(CodedError, match="FAULT_UNKNOWN"):
        point.renew(fault.id, 10)


def test_faults_are_bounded(point: FaultPoint) -> None:
    """One more than allowed is refused and changes nothing; ending one makes room."""
    faults = [point.add(wanted()) for _ in range(MAX_FAULTS)]
    with pytest.raises(CodedError, match="TOO_MANY_FAULTS"):
        point.add(wanted())
    assert len(point.faults) == MAX_FAULTS

    point.end(faults[0].id)
    point.add(wanted())


def test_the_kill_switch_ends_all(point: FaultPoint) -> None:
    """It tells what it ended, and does no harm twice."""
    faults = tuple(point.add(wanted()) for _ in range(3))

    assert point.end_all() == faults
    assert all(fault.over for fault in faults)
    assert point.end_all() == point.faults == ()


def test_a_seed_is_drawn_and_told(point: FaultPoint) -> None:
    """Given, it is used; not given, it is drawn, so that any run can be repeated."""
    drawn = {point.add(wanted()).described().seed for _ in range(8)}

    assert len(drawn) == 8
    assert point.add(wanted(seed=42)).described().seed == 42


def test_begin_and_end_are_told_in_the_log(point: FaultPoint) -> None:
    """A line each, with what somebody needs who finds only the log."""
    with structlog.testing.capture_logs() as lines:
        fault = point.add(wanted(experiment="users-slow"))
        point.end_all()

    begun, ended = ({name: line.get(name) for name in line} for line in lines)
    assert (begun["event"], begun["fault"], begun["type"]) == ("fault begins", fault.id, "abort")
    assert (begun["experiment"], begun["duration"]) == ("users-slow", 60)
    assert (ended["event"], ended["count"], ended["reason"]) == ("fault ends", 0, "taken back")


@pytest.mark.parametrize("token", [None, "", "a", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"])
def test_only_the_token_opens_it(point: FaultPoint, token: str | None) -> None:
    """Nothing but the whole token does."""
    assert not point.admits(token)
    assert point.admits(TOKEN)
