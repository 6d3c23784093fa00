"""Processes load at once and run when the gate is open."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.waiting import eventually_sync


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package `shop` whose app says when it is loaded and whose main says when it runs."""
    house = tmp_path / "house" / "shop"
    house.mkdir(parents=True)
    (house / "__init__.py").touch()
    (house / "app.py").write_text("print('loaded', flush=True)\n")
    main = "import gc, sys\nfrom shop import app\n"
    main += "print('runs', __name__, sys.argv[1:], gc.isenabled(), flush=True)\n"
    (house / "__main__.py").write_text(main)
    return house


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def launched(package: Path, gate: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(servers.HOUSES), str(package.parent)])
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "baluarte.launch", "shop", str(gate)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(5)


def test_it_loads_before_and_runs_after_the_gate_opens(
    launched: subprocess.Popen[bytes], gate: Path, tmp_path: Path
) -> None:
    """Nothing of the process runs before the databases are there, and then it runs as itself."""
    output = tmp_path / "output"
    eventually_sync(lambda: "loaded" in output.read_text(), 30)
    assert launched.poll() is None
    assert "runs" not in output.read_text()
    gate.touch()
    assert launched.wait(30) == 0
    assert output.read_text().splitlines() == ["loaded", "runs __main__ [] True"]


def test_it_can_be_stopped_while_it_waits(
    launched: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """Ctrl-C during a slow first start must not wait for the gate."""
    eventually_sync(lambda: "loaded" in (tmp_path / "output").read_text(), 30)
    launched.send_signal(signal.SIGTERM)
    assert launched.wait(30) == -signal.SIGTERM


def test_a_plain_module_is_not_run_by_loading(package: Path, gate: Path, tmp_path: Path) -> None:
    """An alternative composition root may be one file without a guard: it runs once, at the gate."""
    (package / "single.py").write_text("print('ran', __name__, flush=True)\n")
    gate.touch()
    path = os.pathsep.join([str(servers.HOUSES), str(package.parent)])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "baluarte.launch", "shop.single", str(gate)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "ran __main__\n"
