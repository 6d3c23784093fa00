"""A platform of one's own: what happens when it does not come up, and when something does not come."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from baluarte import sandbox
from baluarte.embedded import processes
from baluarte.errors import BaluarteError
from baluarte.supervisor.plan import DEFAULT_PORTS
from tests.waiting import eventually


@pytest.fixture
def folder() -> Iterator[Path]:
    with sandbox.reachable_folder("test") as made:
        yield made


def test_no_two_parts_share_a_port() -> None:
    """However often it is asked, each part has a port of its own."""
    for _ in range(20):
        ports = sandbox.free_ports()
        assert ports.keys() == DEFAULT_PORTS.keys()
        assert len(set(ports.values())) == len(ports)


async def test_a_failed_start_is_told_with_its_output(folder: Path) -> None:
    """Who runs it learns why without looking for a file that is gone by then."""
    with pytest.raises(BaluarteError, match="no such house") as failed:
        await sandbox.start(("-c", "exit('no such house')"), folder / "state", {}, {})
    assert failed.value.codes == ("SANDBOX_FAILED",)


async def test_an_interrupted_start_leaves_nothing(folder: Path) -> None:
    """A cancelled run ends the process that it has started."""
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(300)"
    starting = asyncio.create_task(sandbox.start(("-c", program), folder / "state", {}, {}))
    output = folder / "up.txt"
    pid = int(await eventually(lambda: output.exists() and output.read_text(), 20))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert processes.started_at(pid) is None


async def test_settings_of_the_caller_do_not_leak_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform of one's own is not on the databases that the shell happens to name."""
    monkeypatch.setenv("BALUARTE_DATABASE_URL", "postgresql://elsewhere/")
    program = "import os, time; print(*os.environ, 'Baluarte is ready', sep='\\n', flush=True)"
    told = {"BALUARTE_SAID": "yes"}
    running = await sandbox.start(("-c", f"{program}; time.sleep(300)"), folder / "state", {}, told)
    names = running.output.read_text().split()
    await sandbox.stop(running)
    assert "BALUARTE_SAID" in names
    assert "BALUARTE_DATABASE_URL" not in names
    assert os.environ["BALUARTE_DATABASE_URL"]


async def test_a_load_may_keep_the_usual_limits(folder: Path) -> None:
    """With `LIMITED` no limit is raised, and a client on this machine may forward addresses."""
    program = "import os, time; print(*os.environ, 'Baluarte is ready', sep='\\n', flush=True)"
    running = await sandbox.start(
        ("-c", f"{program}; time.sleep(300)"), folder / "state", {}, {}, sandbox.LIMITED
    )
    names = running.output.read_text().split()
    await sandbox.stop(running)
    assert "BALUARTE_TRUSTED_PROXIES" in names
    assert not [name for name in names if name.startswith("BALUARTE_") and "LIMIT" in name]


async def test_what_does_not_come_is_told_in_time() -> None:
    """A wait has an end, and says for what it waited."""

    async def never() -> bool:
        return False

    with pytest.raises(BaluarteError, match="pigs fly") as late:
        await sandbox.until(never, 0.05, "pigs fly")
    assert late.value.codes == ("NOT_IN_TIME",)
