"""Real children over real sockets: started, kept, ended, with nothing left behind."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from baluarte.embedded import processes
from baluarte.errors import BaluarteError
from baluarte.supervisor import logfiles, occupancy
from baluarte.supervisor.lifecycle import State
from baluarte.supervisor.supervisor import StopRequest, Supervisor, run_until_asked
from tests import servers
from tests.baluarte.supervisor.parts import Heard, fake
from tests.waiting import eventually


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def supervisor(tmp_path: Path, heard: Heard) -> Supervisor:
    return Supervisor(tmp_path, heard)


@pytest.fixture
async def stop(supervisor: Supervisor) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Stops the supervisor, gives the seconds that it took; at the latest at the test's end."""

    async def end() -> float:
        began = time.monotonic()
        await supervisor.stop(StopRequest())
        return time.monotonic() - began

    yield end
    await end()


def state_of(supervisor: Supervisor, name: str) -> State:
    return next(part for part in supervisor.parts if part.name == name).state


def pid_of(supervisor: Supervisor, name: str) -> int:
    pid = next(part for part in supervisor.parts if part.name == name).pid
    assert pid is not None
    return pid


async def test_a_group_is_started_at_once_and_waited_for(
    supervisor: Supervisor, heard: Heard, stop: Callable[[], object]
) -> None:
    """start() returns when all are ready, each leading a process group of its own."""
    await supervisor.start([fake("one"), fake("two")])
    for name in ("one", "two"):
        pid = pid_of(supervisor, name)
        assert state_of(supervisor, name) is State.READY
        assert os.getpgid(pid) == pid
        assert heard.about(name)[0].startswith("ready in ")


async def test_a_killed_part_comes_back(
    supervisor: Supervisor, heard: Heard, stop: Callable[[], object]
) -> None:
    """After SIGKILL there is another process, the restart is counted and said."""
    await supervisor.start([fake("one")])
    first = pid_of(supervisor, "one")
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: "was ended by signal 9" in heard.lines[-1][1], timeout=10)
    await eventually(lambda: state_of(supervisor, "one") is State.READY, timeout=10)
    assert pid_of(supervisor, "one") != first
    assert supervisor.snapshot()["parts"][0]["restarts"] == 1


async def test_one_that_fails_once_is_tried_again(
    supervisor: Supervisor,
    heard: Heard,
    stop: Callable[[], object],
    tmp_path: Path,
) -> None:
    """A failed start is no failed `up`."""
    marker = str(tmp_path / "marker")
    await supervisor.start([fake("one", "flaky", FAKE_MARKER_FILE=marker)])
    assert "ended with code 7" in heard.about("one")[0]


async def test_one_that_never_starts_is_told_with_its_last_words(
    supervisor: Supervisor, stop: Callable[[], object]
) -> None:
    """PART_FAILED says which, why, the end of its log, and where the rest of it is."""
    with pytest.raises(BaluarteError, match="no such table: nowhere") as failed:
        await supervisor.start([fake("good"), fake("bad", "crash")])
    assert failed.value.codes == ("PART_FAILED",)
    assert "baluarte logs bad" in str(failed.value)


async def test_one_that_is_never_ready_is_ended_and_given_up(
    supervisor: Supervisor, stop: Callable[[], object]
) -> None:
    """Running is not enough."""
    policy = fake("x").policy
    impatient = type(policy)(
        first_pause=0.05, start_timeout=0.5, grace=0.5, tries=2, stable_after=30
    )
    with pytest.raises(BaluarteError, match=r"was not ready within 0\.5 s"):
        await supervisor.start([fake("slow", "unready", impatient)])


async def test_sigterm_is_followed_by_sigkill(
    supervisor: Supervisor,
    heard: Heard,
    stop: Callable[[], Awaitable[float]],
) -> None:
    """A child that ignores SIGTERM is gone after the grace."""
    await supervisor.start([fake("deaf", "deaf"), fake("good")])
    pid = pid_of(supervisor, "deaf")
    assert 0.5 <= await stop() < 20
    assert "did not stop within 0.5 s; killed" in heard.about("deaf")
    assert processes.started_at(pid) is None


@pytest.mark.parametrize("mode", ["grandchild", "runaway"])
async def test_grandchildren_end_too(
    supervisor: Supervisor,
    stop: Callable[[], Awaitable[float]],
    mode: str,
) -> None:
    """Also one that leads a session of its own is gone after a stop."""
    await supervisor.start([fake("parent", mode)])
    grandchild = await eventually(lambda: told_child(supervisor))
    assert processes.started_at(grandchild) is not None
    await stop()
    await eventually(lambda: processes.started_at(grandchild) is None)


def told_child(supervisor: Supervisor) -> int:
    for entry in logfiles.entries(supervisor.logs, ["parent"]):
        return int(str(entry["event"]).removeprefix("child "))
    return 0


async def test_a_crash_takes_the_grandchildren_along(
    supervisor: Supervisor, stop: Callable[[], object]
) -> None:
    """The next process must not meet its predecessor's children."""
    await supervisor.start([fake("parent", "grandchild")])
    grandchild = await eventually(lambda: told_child(supervisor))
    os.kill(pid_of(supervisor, "parent"), signal.SIGKILL)
    await eventually(lambda: processes.started_at(grandchild) is None)


async def test_groups_stop_in_reverse_order(
    supervisor: Supervisor,
    heard: Heard,
    stop: Callable[[], Awaitable[float]],
) -> None:
    """The gateway first, then services, the servers that they need last."""
    for name in ("postgres", "users", "gateway"):
        await supervisor.start([fake(name)])
    assert await stop() < 20
    stopped = [part for part, text in heard.lines if text == "stopped"]
    assert stopped == ["gateway", "users", "postgres"]


async def test_unready_is_shown_and_heals(
    supervisor: Supervisor,
    stop: Callable[[], object],
    tmp_path: Path,
) -> None:
    """A part that says it is not ready stays the same process, and its state says so."""
    away = tmp_path / "dependency-away"
    await supervisor.start([fake("one", FAKE_UNREADY_FILE=str(away))])
    pid = pid_of(supervisor, "one")
    away.touch()
    await eventually(lambda: state_of(supervisor, "one") is State.UNREADY, timeout=10)
    away.unlink()
    await eventually(lambda: state_of(supervisor, "one") is State.READY, timeout=10)
    assert pid_of(supervisor, "one") == pid


async def test_what_a_part_writes_is_kept_as_json_lines(
    supervisor: Supervisor, stop: Callable[[], object]
) -> None:
    """Plain words are wrapped with time and part; a line without end is cut."""
    await supervisor.start([fake("one", "chatty")])

    def written() -> list[logfiles.Entry]:
        return logfiles.entries(supervisor.logs, ["one"])

    await eventually(lambda: len(written()) >= 2)
    assert written()[0]["event"] == "plain words"
    assert written()[0]["service"] == "one"
    assert len(str(written()[1]["event"])) <= logfiles.LogBounds().line_bytes


async def test_a_stop_during_the_start_leaves_nothing(supervisor: Supervisor) -> None:
    """Ctrl-C while parts are starting ends those that have started, and the rest never start."""
    request = StopRequest()

    async def bring_up() -> None:
        await supervisor.start([fake("one")])
        await supervisor.start([fake("slow", "unready")])

    running = asyncio.create_task(run_until_asked(supervisor, bring_up, request))
    await eventually(lambda: len(supervisor.parts) == 2 and supervisor.parts[1].pid, timeout=10)
    pids = [part.pid for part in supervisor.parts]
    request.ask()
    await asyncio.wait_for(running, 10)
    assert [processes.started_at(pid) for pid in pids if pid] == [None, None]


async def test_a_second_request_insists(supervisor: Supervisor, heard: Heard) -> None:
    """The second Ctrl-C kills what would still be waited for."""
    patient = type(fake("x").policy)(grace=60)
    request = StopRequest()

    async def bring_up() -> None:
        await supervisor.start([fake("deaf", "deaf", patient)])

    running = asyncio.create_task(run_until_asked(supervisor, bring_up, request))
    await eventually(lambda: supervisor.parts and supervisor.parts[0].state is State.READY, 10)
    request.ask()
    await eventually(lambda: supervisor.parts[0].state is State.STOPPING)
    request.ask()
    await asyncio.wait_for(running, 10)
    assert ("supervisor", "stopping at once") in heard.lines


async def test_a_failed_start_ends_everything_and_is_raised(supervisor: Supervisor) -> None:
    """What went wrong is known after nothing runs any more."""

    async def bring_up() -> None:
        await supervisor.start([fake("one")])
        await supervisor.start([fake("bad", "crash")])

    with pytest.raises(BaluarteError):
        await run_until_asked(supervisor, bring_up, StopRequest())
    assert [part.pid for part in supervisor.parts] == [None, None]


async def test_children_of_a_killed_supervisor_are_ended_by_the_next(
    supervisor: Supervisor,
    stop: Callable[[], object],
    tmp_path: Path,
) -> None:
    """Recorded with their start times, so that a stranger with the same pid is spared."""
    await supervisor.start([fake("deaf", "deaf")])
    pid = pid_of(supervisor, "deaf")
    assert occupancy.recorded(tmp_path) == {"deaf": pid}
    record = tmp_path / "children.json"
    known = json.loads(record.read_text())
    record.write_text(json.dumps({"stranger": [os.getpid(), 1.0], **known}))
    assert occupancy.recorded(tmp_path) == {"deaf": pid}
    left = await asyncio.to_thread(occupancy.end_leftovers, tmp_path)
    assert left == ["deaf"]


async def test_a_bug_in_the_supervision_ends_everything(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that nobody looks after is worse than none: all end, and the bug is raised."""

    pids: list[int] = []

    def broken(part: str, message: object) -> None:
        if part == "two":
            pids.extend(part.pid for part in supervisor.parts if part.pid is not None)
            raise RuntimeError("a bug")

    supervisor.tell = broken

    async def bring_up() -> None:
        await supervisor.start([fake("one")])
        await supervisor.start([fake("two")])

    with pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(run_until_asked(supervisor, bring_up, StopRequest()), 20)
    assert [pid for pid in pids if processes.started_at(pid)] == []


async def test_processes_of_others_are_spared(
    supervisor: Supervisor, stop: Callable[[], Awaitable[float]]
) -> None:
    """Whoever runs the supervisor may have other children: they are none of its business."""
    other = servers.python("import time; time.sleep(60)")
    try:
        await supervisor.start([fake("one")])
        await stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(5)
