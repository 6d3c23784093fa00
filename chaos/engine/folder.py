"""Where runs lie: `<state>/chaos/<date>-<scenario>-<id>/`, the last fifty of them."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from chaos.record import Run

KEPT_RUNS: Final = 50
"""Folders that are kept: a day's runs of all scenarios with a mechanism off each."""

RUN: Final = "run.json"
_FOLDER: Final = re.compile(r"\d{8}-\d{6}-.+-[0-9a-f]{6}")
_LOCK: Final = "lock"


class BusyError(Exception):
    """Another run holds the platform; names its pid."""


def home(state: Path) -> Path:
    """The folder of all runs of a platform."""
    return state / "chaos"


def new_id(scenario: str, now: datetime | None = None) -> str:
    """A run's id, which is its folder's name: in order of time, and unique."""
    moment = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{scenario}-{uuid.uuid4().hex[:6]}"


def make(runs: Path, run_id: str) -> Path:
    """A new run's folder; the oldest beyond `KEPT_RUNS` go."""
    runs.mkdir(parents=True, exist_ok=True)
    for old in past(runs)[: -(KEPT_RUNS - 1)]:
        shutil.rmtree(old, ignore_errors=True)
    folder = runs / run_id
    folder.mkdir()
    return folder


def past(runs: Path) -> list[Path]:
    """Folders of runs, the newest last."""
    if not runs.is_dir():
        return []
    return sorted(path for path in runs.iterdir() if path.is_dir() and _FOLDER.fullmatch(path.name))


def write(run: Run, folder: Path) -> Path:
    """Keep a record; whoever reads meanwhile sees the old one or the new one whole."""
    path = folder / RUN
    draft = folder / f"{RUN}.part"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))
    draft.replace(path)
    return path


def read(folder: Path) -> Run:
    """The record in a folder. Raises OSError or msgspec.MsgspecError."""
    return msgspec.json.decode((folder / RUN).read_bytes(), type=Run)


@contextmanager
def alone(runs: Path) -> Iterator[None]:
    """Hold the platform for one run. What a killed run left is taken over. Raises BusyError."""
    runs.mkdir(parents=True, exist_ok=True)
    path = runs / _LOCK
    _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    for _ in range(2):  # once more, after a stale lock has gone
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            holder = _holder(path)
            if holder is not None:
                raise BusyError(f"a run (pid {holder}) already works on this platform") from None
            path.unlink(missing_ok=True)
            continue
        os.write(handle, f"{os.getpid()}\n".encode())
        os.close(handle)
        return
    raise BusyError("another run has just begun on this platform")


def _holder(path: Path) -> int | None:
    """The pid in a lock, if that process lives."""
    try:
        pid = int(path.read_text())
        os.kill(pid, 0)
    except (OSError, ValueError) as error:
        return pid if isinstance(error, PermissionError) else None
    return pid
