"""Folders of runs: bounded, atomic, and one run at a time."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaos.engine import folder as folders
from chaos.record import Run

RUN = Run(id="1", scenario="s", title="t")


def test_only_the_last_runs_are_kept(tmp_path: Path) -> None:
    """The oldest go; what is no run of ours stays."""
    (tmp_path / "mine").mkdir()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for minute in range(folders.KEPT_RUNS + 5):
        folders.make(tmp_path, folders.new_id("s", start + timedelta(minutes=minute)))

    kept = folders.past(tmp_path)
    assert len(kept) == folders.KEPT_RUNS
    assert kept[0].name.startswith("20260101-000500")
    assert (tmp_path / "mine").is_dir()


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And written anew without a moment at which it is half there."""
    folders.write(RUN, tmp_path)
    folders.write(RUN, tmp_path)

    assert folders.read(tmp_path) == RUN
    assert [path.name for path in tmp_path.iterdir()] == [folders.RUN]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """The second is refused with the first one's pid, and may begin afterwards."""
    with (
        folders.alone(tmp_path),
        pytest.raises(folders.BusyError, match=str(os.getpid())),
        folders.alone(tmp_path),
    ):
        pass
    with folders.alone(tmp_path):
        pass


def test_the_lock_of_a_dead_run_is_taken_over(tmp_path: Path) -> None:
    """Its pid is nobody's any more."""
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    (tmp_path / "lock").write_bytes(done.stdout)

    with folders.alone(tmp_path):
        assert (tmp_path / "lock").read_text().strip() == str(os.getpid())


def test_a_lock_that_says_nothing_is_taken_over(tmp_path: Path) -> None:
    """A writer that died before it wrote its pid holds nothing."""
    (tmp_path / "lock").touch()

    with folders.alone(tmp_path):
        pass
