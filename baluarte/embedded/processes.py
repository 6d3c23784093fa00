"""Looking at processes that are not our children: who listens, who works where, since when."""

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]

# Two readings of one process' start differ by a clock tick at most; another process that got the
# same pid cannot have started within it.
_SAME_START_SECONDS = 0.05


def listener(port: int) -> str:
    """Who listens on `port`, for a message: `postgres (pid 123)`, or `another process`."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"


def working_in(directory: Path, name: str) -> list[int]:
    """The pids of live processes called `name` whose working directory is `directory`."""
    where, found = str(directory.resolve()), []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != name:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == where:
                found.append(process.pid)
    return found


def started_at(pid: int) -> float | None:
    """When `pid` started (seconds since the epoch), or None when it does not run."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
    return None


def is_same(pid: int, since: float) -> bool:
    """Whether `pid` still is the process that started at `since`, and not a later one."""
    now = started_at(pid)
    return now is not None and abs(now - since) < _SAME_START_SECONDS


def in_group(group: int) -> list[int]:
    """The pids of live processes in process group `group`."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getpgid(pid) == group and started_at(pid) is not None:
                found.append(pid)
    return found


def send(pids: Sequence[int], stop: signal.Signals) -> None:
    """Send `stop` to each that still runs; a stopped one is continued so that it can act on it."""
    for pid in pids:
        for number in (signal.SIGCONT, stop):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def wait_gone(pids: Sequence[int], timeout: float) -> list[int]:
    """Wait for all to end; returns those that still run after `timeout` seconds."""
    watched = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            watched.append(psutil.Process(pid))
    _, alive = psutil.wait_procs(watched, timeout=timeout)
    return [process.pid for process in alive]


def family(pid: int) -> list[int]:
    """The pids of all descendants of `pid` and of all in the process group that it leads."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(pid).children(recursive=True)
        return sorted({*(child.pid for child in children), *in_group(pid)} - {pid})
    return [other for other in in_group(pid) if other != pid]


def descendants_with_start() -> dict[int, float]:
    """Every process below ours, with its start: also those that lead sessions of their own."""
    found = {}
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            if (since := started_at(child.pid)) is not None:
                found[child.pid] = since
    return found


def end_same(known: dict[int, float]) -> list[int]:
    """SIGKILL for those of `known` that still run; returns them."""
    alive = [pid for pid, since in known.items() if is_same(pid, since)]
    send(alive, signal.SIGKILL)
    return alive
