"""Looking at processes that are not our children: who listens, who works where, since when."""

import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
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


def is_paused(pid: int) -> bool:
    """Whether `pid` is stopped by a signal."""
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


def is_same(pid: int, since: float) -> bool:
    """Whether `pid` still is the process that started at `since`, and not a later one."""
    now = started_at(pid)
    return now is not None and abs(now - since) < _SAME_START_SECONDS


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


def families(pids: Iterable[int]) -> set[int]:
    """The pids of all descendants of `pids` and of all in the process groups that they lead.

    One look at the process table for all of them.
    """
    leaders = set(pids)
    children: dict[int, list[int]] = {}
    found: set[int] = set()
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"], []).append(process.pid)
        with contextlib.suppress(OSError):
            if os.getpgid(process.pid) in leaders:
                found.add(process.pid)
    ancestors = list(leaders | found)
    while ancestors:
        new = [pid for pid in children.get(ancestors.pop(), []) if pid not in found]
        found.update(new)
        ancestors.extend(new)
    return found - leaders


def families_with_start(pids: Iterable[int]) -> dict[int, float]:
    """`families`, each with its start, to be recognised later."""
    known = {pid: started_at(pid) for pid in families(pids)}
    return {pid: since for pid, since in known.items() if since is not None}


def end_same(known: dict[int, float]) -> list[int]:
    """SIGKILL for those of `known` that still run; returns them."""
    alive = [pid for pid, since in known.items() if is_same(pid, since)]
    send(alive, signal.SIGKILL)
    return alive


_FREEZING_ROUNDS = 10  # a process that was forking as it was stopped shows up in the next


def freeze(leader: int) -> dict[int, float]:
    """SIGSTOP for `leader` and its `families`; returns who was stopped, each with its start.

    The leader first, so that it starts no others while they are looked for.
    """
    frozen: dict[int, float] = {}
    found = {leader}
    for _ in range(_FREEZING_ROUNDS):
        known = {pid: started_at(pid) for pid in found - set(frozen)}
        fresh = {pid: since for pid, since in known.items() if since is not None}
        if not fresh:
            break
        _signal_same(fresh, signal.SIGSTOP)
        frozen |= fresh
        found = families(frozen)
    return frozen


def thaw(frozen: dict[int, float]) -> None:
    """SIGCONT for those of `frozen` that still run."""
    _signal_same(frozen, signal.SIGCONT)


def _signal_same(known: dict[int, float], number: signal.Signals) -> None:
    for pid, since in known.items():
        if is_same(pid, since):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
