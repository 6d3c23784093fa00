"""The kill switch over a state directory: what it says where nothing runs, or not what it needs.

What it does to a platform that runs is in test_chaos_platform.py.
"""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from baluarte import kill_switch
from baluarte.embedded import processes
from baluarte.embedded.ports import free_port
from baluarte.errors import BaluarteError
from baluarte.supervisor import api, occupancy
from baluarte.supervisor.faults import Desk
from baluarte.supervisor.faults.routes import routes
from baluarte.supervisor.supervisor import StopRequest, Supervisor
from chaos.roster import FILE, Roster
from tests import servers
from tests.baluarte.supervisor.parts import Heard
from tests.chaos.owners.grounds import NOBODY, roster_of
from tests.waiting import eventually_sync


def write(state: Path, roster: Roster) -> None:
    (state / FILE).write_bytes(msgspec.json.encode(roster))


def refusal_of(state: Path) -> BaluarteError:
    with pytest.raises(BaluarteError) as refused:
        kill_switch.stop(state, print)
    return refused.value


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Path, Supervisor]]:
    """The state directory of a supervisor under `--chaos`, which serves its API; and itself."""
    state = tmp_path / "state"
    supervisor = Supervisor(state, Heard())
    desk = Desk(lambda: supervisor.parts, supervisor.say, supervisor.crashed)
    with occupancy.occupied(state):
        address = occupancy.announce(state, free_port())
        app = api.application(supervisor, address.token, routes(desk))
        async with desk.keeping(), api.serving(app, address.port):
            yield state, supervisor
            await supervisor.stop(StopRequest())


def test_where_nothing_ever_ran_it_says_so(tmp_path: Path) -> None:
    """NOT_RUNNING, so that a script can tell it from a switch that failed."""
    assert refusal_of(tmp_path / "none").codes == ("NOT_RUNNING",)


def test_a_platform_that_was_killed_whole_has_no_faults(tmp_path: Path) -> None:
    """Its roster is still there, and whoever listens at its addresses now is nobody of ours."""
    with servers.listening() as port:
        write(tmp_path, roster_of(users=f"http://127.0.0.1:{port}"))
        said: list[str] = []
        kill_switch.stop(tmp_path, said.append)
        kill_switch.show(tmp_path, said.append)
    assert said == ["nothing runs any more: no fault is in place"] * 2


def test_a_part_that_a_dead_supervisor_left_paused_goes_on(tmp_path: Path) -> None:
    """It got its signal when the supervisor died, and heeds it now; a second time nothing is left."""
    part = servers.python("import time; time.sleep(60)")
    try:
        occupancy.record(tmp_path, {"users": part.pid})
        part.send_signal(signal.SIGSTOP)
        eventually_sync(lambda: processes.is_paused(part.pid))
        part.send_signal(signal.SIGTERM)
        write(tmp_path, roster_of(users=NOBODY, supervisor=NOBODY))
        said: list[str] = []
        kill_switch.stop(tmp_path, said.append)
        assert "continued users" in said[0]
        assert said[-1].endswith("no fault is in place")
        assert part.wait(10) == -signal.SIGTERM
    finally:
        part.kill()
        part.wait(5)


def test_an_owner_that_lives_and_is_silent_is_told_with_the_way_out(tmp_path: Path) -> None:
    """FAULTS_LEFT names it with its pid, and the two signals that help."""
    program = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()"
    program += "; print(s.getsockname()[1], flush=True); time.sleep(60)"
    part = servers.python(program, stdout=subprocess.PIPE)
    assert part.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(part.stdout.readline())}"
        occupancy.record(tmp_path, {"users": part.pid})
        write(tmp_path, roster_of(users=url, ledger=NOBODY))
        error = refusal_of(tmp_path)
    finally:
        part.kill()
        part.communicate()
    assert error.codes == ("FAULTS_LEFT",)
    assert f"users (pid {part.pid})" in str(error)
    assert f"kill -9 {part.pid}" in str(error)
    assert "ledger" not in str(error)


async def test_a_roster_that_cannot_be_read_is_no_excuse_for_silence(
    served: tuple[Path, Supervisor],
) -> None:
    """Gone or damaged while the platform runs: that is told, with what ends every fault."""
    state, _ = served
    for damage in (lambda: None, lambda: (state / FILE).write_text("{")):
        damage()
        error = await asyncio.to_thread(refusal_of, state)
        assert error.codes == ("ROSTER_UNREADABLE",)
        assert "restart" in str(error)


async def test_without_chaos_there_is_nothing_to_stop(tmp_path: Path) -> None:
    """CHAOS_OFF, with how to turn it on."""
    state = tmp_path / "state"
    supervisor = Supervisor(state, Heard())
    with occupancy.occupied(state):
        address = occupancy.announce(state, free_port())
        async with api.serving(api.application(supervisor, address.token), address.port):
            error = await asyncio.to_thread(refusal_of, state)
    assert error.codes == ("CHAOS_OFF",)
    assert "--chaos" in str(error)
    await supervisor.stop(StopRequest())
