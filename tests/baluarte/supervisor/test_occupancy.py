"""One supervisor per state directory, and only on directories that are ours."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from baluarte.embedded import processes
from baluarte.errors import BaluarteError
from baluarte.supervisor import occupancy
from tests import servers
from tests.waiting import eventually_sync


def test_a_second_supervisor_is_refused(tmp_path: Path) -> None:
    """It is told who holds the directory; afterwards the directory is free again."""
    state = tmp_path / "state"
    with occupancy.occupied(state):
        assert occupancy.is_occupied(state)
        with pytest.raises(BaluarteError, match=f"pid {os.getpid()}") as refused:
            occupancy.occupied(state).__enter__()
        assert refused.value.codes == ("ALREADY_RUNNING",)
    assert not occupancy.is_occupied(state)
    with occupancy.occupied(state):
        pass


def test_a_killed_supervisor_leaves_no_lock(tmp_path: Path) -> None:
    """The kernel lets go of the lock after SIGKILL, even with children alive."""
    state = tmp_path / "state"
    program = (
        "import subprocess, sys, time; from pathlib import Path\n"
        "from baluarte.supervisor import occupancy\n"
        f"with occupancy.occupied(Path({str(state)!r})):\n"
        "    child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        f"    occupancy.record(Path({str(state)!r}), {{'child': child.pid}})\n"
        "    print(child.pid, flush=True); time.sleep(60)\n"
    )
    supervisor = servers.python(program, stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    assert occupancy.is_occupied(state)
    supervisor.kill()
    supervisor.wait(5)
    supervisor.stdout.close()
    with occupancy.occupied(state):
        assert occupancy.end_leftovers(state) == ["child"]
    eventually_sync(lambda: processes.started_at(child) is None)


def test_a_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    """`--fresh` empties the state directory, so somebody's home must never become one."""
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(BaluarteError) as refused:
        occupancy.occupied(tmp_path).__enter__()
    assert refused.value.codes == ("STATE_DIR_FOREIGN",)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_emptying_spares_only_the_lock(tmp_path: Path) -> None:
    """Data, keys, logs and what a link points to: the first three go, the last stays."""
    state, outside = tmp_path / "state", tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    with occupancy.occupied(state):
        (state / "postgres" / "data").mkdir(parents=True)
        (state / "keys").mkdir()
        (state / "link").symlink_to(outside)
        (state / "demo-loaded").touch()
        occupancy.empty(state)
        assert [path.name for path in state.iterdir()] == ["supervisor.lock"]
        assert occupancy.is_occupied(state)
    assert (outside / "kept").exists()


def test_the_address_is_for_the_owner(tmp_path: Path) -> None:
    """The token is readable by nobody else, new at each start, and gone without a supervisor."""
    with pytest.raises(BaluarteError) as absent:
        occupancy.address(tmp_path / "state")
    assert absent.value.codes == ("NOT_RUNNING",)
    with occupancy.occupied(tmp_path / "state"):
        first = occupancy.announce(tmp_path / "state", 8010)
        assert occupancy.address(tmp_path / "state") == first
        assert occupancy.announce(tmp_path / "state", 8010).token != first.token
        mode = (tmp_path / "state" / "supervisor.json").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    with pytest.raises(BaluarteError) as gone:
        occupancy.address(tmp_path / "state")
    assert gone.value.codes == ("NOT_RUNNING",)


def test_a_damaged_record_is_no_obstacle(tmp_path: Path) -> None:
    """Nothing is ended on a guess."""
    (tmp_path / "children.json").write_text("{")
    assert occupancy.end_leftovers(tmp_path) == []
