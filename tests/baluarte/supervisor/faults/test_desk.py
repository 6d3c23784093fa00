"""Faults in real processes: done, seen, and undone whatever happens."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from baluarte.embedded import processes
from baluarte.supervisor import logfiles, occupancy
from baluarte.supervisor.faults import Desk, Fault, Refused, Wanted
from baluarte.supervisor.faults.kinds import KINDS
from baluarte.supervisor.lifecycle import State
from baluarte.supervisor.part import Part
from baluarte.supervisor.supervisor import StopRequest, Supervisor
from tests.baluarte.supervisor.parts import Heard, fake
from tests.waiting import eventually

LONG = 60.0


@dataclass
class Ground:
    """A supervisor with a desk, and what the operator heard."""

    supervisor: Supervisor
    desk: Desk
    heard: Heard

    async def inject(
        self, kind: str, part: str = "one", seconds: float = LONG, delay: float = 0.0
    ) -> Fault:
        lasts = seconds if KINDS[kind].has_lease else 0.0
        return await self.desk.inject(Wanted(part, KINDS[kind], lasts, delay))

    async def refused(self, kind: str, part: str = "one") -> Refused:
        with pytest.raises(Refused) as refused:
            await self.inject(kind, part)
        return refused.value

    def part(self, name: str = "one") -> Part:
        return next(part for part in self.supervisor.parts if part.name == name)

    def seen(self, name: str = "one") -> dict[str, Any]:
        parts = self.supervisor.snapshot()["parts"]
        return next(part for part in parts if part["name"] == name)

    def pid(self, name: str = "one") -> int:
        pid = self.part(name).pid
        assert pid is not None
        return pid

    async def until(self, state: State, name: str = "one") -> None:
        await eventually(lambda: self.part(name).state is state, 20, why=f"{name} is {state}")

    async def stop(self) -> None:
        await self.supervisor.stop(StopRequest())


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    heard = Heard()
    supervisor = Supervisor(tmp_path, heard)
    desk = Desk(lambda: supervisor.parts, supervisor.say, supervisor.crashed)
    supervisor.notes = desk.about
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(desk.keeping())
        made = Ground(supervisor, desk, heard)
        stack.push_async_callback(made.stop)
        yield made


def is_stopped(pid: int) -> bool:
    return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)


def told_child(supervisor: Supervisor, name: str) -> int:
    for entry in logfiles.entries(supervisor.logs, [name]):
        return int(str(entry["event"]).removeprefix("child "))
    return 0


async def test_a_killed_part_comes_back_and_no_fault_is_left(ground: Ground) -> None:
    """A kill is over at once: nothing is in place, and the supervisor restarts as always."""
    await ground.supervisor.start([fake("one")])
    first = ground.pid()
    await ground.inject("kill")
    assert ground.desk.faults == ()
    await eventually(lambda: ground.seen()["restarts"] == 1, 10)
    await ground.until(State.READY)
    assert ground.pid() != first


async def test_a_renewed_fault_outlives_its_first_lease(ground: Ground) -> None:
    """Whoever lives says so; a fault that is over is refused, and the keeper heeds the new end."""
    await ground.supervisor.start([fake("one")])
    fault = await ground.inject("hold_down", seconds=60.0)
    renewed = await ground.desk.renew(fault.id, 0.3)
    assert renewed.ends < fault.ends
    await ground.until(State.READY)
    assert ground.desk.faults == ()
    with pytest.raises(Refused) as refused:
        await ground.desk.renew(fault.id, 60.0)
    assert refused.value.code == "FAULT_UNKNOWN"


async def test_a_held_part_stays_down_until_its_lease_ends(ground: Ground) -> None:
    """It is shown as held down with what is left of the lease, and starts by itself afterwards."""
    await ground.supervisor.start([fake("one")])
    first = ground.pid()
    fault = await ground.inject("hold_down", seconds=1.0)
    await ground.until(State.HELD)
    seen = ground.seen()
    assert (seen["state"], seen["pid"]) == ("held down", None)
    assert [shown["id"] for shown in seen["faults"]] == [fault.id]
    assert 0 < seen["faults"][0]["remainingSeconds"] <= 1
    await ground.until(State.READY)
    assert (ground.pid() != first, ground.seen()["faults"]) == (True, [])
    told = ground.heard.about("one")
    assert f"held down on purpose, for 1 s at most (fault {fault.id})" in told
    assert f"hold_down is over: its time is over (fault {fault.id})" in told


async def test_a_paused_part_is_left_alone_and_goes_on(ground: Ground) -> None:
    """Its silence does not get it restarted; the same process is ready again afterwards."""
    await ground.supervisor.start([fake("one")])
    pid = ground.pid()
    fault = await ground.inject("pause")
    await eventually(lambda: is_stopped(pid))
    assert ground.seen()["state"] == "paused"
    assert not await ground.part().spec.probe(), "it answers nothing, as the supervisor would see"
    assert ground.seen()["state"] == "paused"
    await ground.desk.revert(fault.id)
    await eventually(lambda: not is_stopped(pid))
    await ground.until(State.READY)
    assert (ground.pid(), ground.seen()["restarts"]) == (pid, 0)


@pytest.mark.parametrize("mode", ["grandchild", "runaway"])
async def test_a_whole_family_is_hit(ground: Ground, mode: str) -> None:
    """Children in the process group and in sessions of their own are paused, continued and killed."""
    await ground.supervisor.start([fake("one", mode)])
    child = await eventually(lambda: told_child(ground.supervisor, "one"))
    fault = await ground.inject("pause")
    await eventually(lambda: is_stopped(child))
    await ground.desk.revert(fault.id)
    await eventually(lambda: not is_stopped(child))
    await ground.inject("hold_down")
    await eventually(lambda: processes.started_at(child) is None)


async def test_slow_starts_are_late_and_then_are_not(ground: Ground) -> None:
    """A killed part waits as long as the fault says, and starts at once when that is taken back."""
    await ground.supervisor.start([fake("one")])
    fault = await ground.inject("slow_start", delay=LONG)
    await ground.inject("kill")
    await ground.until(State.BACKOFF)
    wake_at = ground.part().situation.wake_at
    assert wake_at is not None
    assert wake_at - ground.part().clock() > LONG - 10
    await ground.desk.revert(fault.id)
    await ground.until(State.READY)


async def test_two_faults_in_one_place_are_refused(ground: Ground) -> None:
    """The first is named with the way to take it back; a slow start beside it is another place."""
    await ground.supervisor.start([fake("one"), fake("two")])
    first = await ground.inject("pause")
    for kind in ("pause", "hold_down", "kill"):
        refused = await ground.refused(kind)
        assert (refused.status, refused.code) == (409, "FAULT_CONFLICT")
        assert first.id in refused.detail
    await ground.inject("slow_start", delay=1.0)
    await ground.inject("pause", "two")
    assert len(ground.desk.faults) == 3
    assert ground.seen()["state"] == "paused"


async def test_what_does_not_run_cannot_be_hit(ground: Ground) -> None:
    """Told as such, and no lease is left of the try."""
    await ground.supervisor.start([fake("one")])
    await ground.stop()
    for kind in ("kill", "pause", "hold_down"):
        refused = await ground.refused(kind)
        assert (refused.status, refused.code) == (409, "PART_NOT_RUNNING")
    assert ground.desk.faults == ()


async def test_the_kill_switch_undoes_everything(ground: Ground) -> None:
    """All parts run again, and an id that was undone is not known any more."""
    await ground.supervisor.start([fake("one"), fake("two")])
    held = await ground.inject("hold_down")
    await ground.inject("pause", "two")
    await ground.until(State.HELD)
    reverted = await ground.desk.revert_all()
    assert [fault.part for fault in reverted] == ["one", "two"]
    await ground.until(State.READY)
    await ground.until(State.READY, "two")
    with pytest.raises(Refused) as refused:
        await ground.desk.revert(held.id)
    assert (refused.value.status, refused.value.code) == (404, "FAULT_UNKNOWN")


async def test_a_stop_ends_what_is_paused_in_order(ground: Ground) -> None:
    """It is continued first, so that it acts on SIGTERM instead of being killed after the grace."""
    await ground.supervisor.start([fake("one")])
    await ground.inject("pause")
    pid = ground.pid()
    await eventually(lambda: is_stopped(pid))
    await ground.stop()
    assert ground.heard.about("one")[-1] == "stopped"
    assert not any("killed" in text for text in ground.heard.about("one"))


async def test_all_are_continued_before_any_is_stopped(ground: Ground) -> None:
    """A server that is stopped last must not hold up those that need it for their own end."""
    await ground.supervisor.start([fake("server")])
    await ground.supervisor.start([fake("client")])
    await ground.inject("pause", "server")
    await ground.stop()
    lines = [line for line in ground.heard.lines if line[1] in {"continued", "stopped"}]
    assert lines == [("server", "continued"), ("client", "stopped"), ("server", "stopped")]


async def test_a_stop_ends_what_is_held_down(ground: Ground) -> None:
    """Nothing is started by it, nor by the lease's end or its reverting afterwards."""
    await ground.supervisor.start([fake("one")])
    fault = await ground.inject("hold_down")
    await ground.until(State.HELD)
    await ground.stop()
    assert ground.part().state is State.STOPPED
    await ground.desk.revert(fault.id)
    assert (ground.part().state, ground.part().pid) == (State.STOPPED, None)


async def test_a_bug_in_the_keeping_of_leases_stops_the_supervisor(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that nobody would undo is worse than a platform that is down: the bug is raised."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    await ground.supervisor.start([fake("one")])
    monkeypatch.setattr(Desk, "_end", broken)
    await ground.inject("pause", seconds=0.05)
    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(ground.supervisor.broken, 10)


async def test_what_a_killed_supervisor_left_paused_can_be_continued(
    ground: Ground, tmp_path: Path
) -> None:
    """The kill switch needs no supervisor: it reads which processes were its own."""
    await ground.supervisor.start([fake("one"), fake("two")])
    pid = ground.pid()
    os.kill(pid, signal.SIGSTOP)
    await eventually(lambda: is_stopped(pid))
    left = await asyncio.to_thread(occupancy.continue_leftovers, tmp_path)
    assert left == ["one"]
    assert not is_stopped(pid)
