"""Who runs on a state directory: the lock, the pids of the children, the way to the API.

A supervisor holds a lock on its state directory as long as it lives; the kernel lets go of it even
after SIGKILL. The children's pids are recorded with their start times, so that the next start can
end what a killed supervisor left behind, and never a stranger who got the same pid.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from baluarte.embedded import processes
from baluarte.embedded.places import Places, make_state_directory, write_private
from baluarte.errors import BaluarteError

_LOCK = "supervisor.lock"
_RECORD = "children.json"
_ADDRESS = "supervisor.json"
_ORPHAN_GRACE = 3.0  # they got their signal long ago, from the kernel; this is the second


@contextlib.contextmanager
def occupied(state: Path) -> Iterator[None]:
    """Hold the state directory; ALREADY_RUNNING when another supervisor does."""
    make_state_directory(state)
    _refuse_foreign(state)
    handle = os.open(state / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)  # not inherited by children
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BaluarteError.of(
                "ALREADY_RUNNING",
                f"a supervisor ({_holder(state)}) already runs on {state}",
                "stop it with Ctrl-C or SIGTERM, or use another --state-dir",
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def _refuse_foreign(state: Path) -> None:
    """A folder with other people's files must not become ours: `--fresh` would empty it."""
    if not (state / _LOCK).exists() and any(state.iterdir()):
        raise BaluarteError.of(
            "STATE_DIR_FOREIGN",
            f"{state} is not empty and was not made by baluarte",
            "name an empty or a new folder with --state-dir",
        )


def empty(state: Path) -> None:
    """Forget everything in a state directory that is held by this process (`occupied`)."""
    places = Places(state)
    for name in ("postgres", "valkey"):
        places.forget(name)
    for path in state.iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _holder(state: Path) -> str:
    with contextlib.suppress(OSError):
        return f"pid {(state / _LOCK).read_text().strip()}"
    return "pid unknown"


def is_occupied(state: Path) -> bool:
    """Whether a supervisor holds `state` at this moment."""
    try:
        handle = os.open(state / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def record(state: Path, pids: Mapping[str, int]) -> None:
    """Keep which processes are ours, with their start times."""
    known = {name: [pid, processes.started_at(pid)] for name, pid in pids.items()}
    write_private(state / _RECORD, json.dumps(known))


def recorded(state: Path) -> dict[str, int]:
    """Recorded processes that still run, by name; one that only has an old pid is none of them."""
    try:
        known = json.loads((state / _RECORD).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {
        name: pid
        for name, (pid, since) in known.items()
        if since is not None and processes.is_same(pid, since)
    }


def end_leftovers(state: Path) -> list[str]:
    """End recorded processes that a supervisor left behind; returns their names."""
    left = recorded(state)
    everyone = sorted({*left.values(), *processes.families(left.values())})
    for stop in (signal.SIGTERM, signal.SIGKILL):
        processes.send(everyone, stop)
        everyone = processes.wait_gone(everyone, _ORPHAN_GRACE)
    (state / _RECORD).unlink(missing_ok=True)
    return sorted(left)


def continue_leftovers(state: Path) -> list[str]:
    """SIGCONT for recorded processes that a dead supervisor left paused, with all below them.

    They then act on the signal that the kernel sent them at its death. Returns their names.
    """
    left = recorded(state)
    paused = [name for name, pid in left.items() if processes.is_paused(pid)]
    heads = [left[name] for name in paused]
    for pid in (*heads, *processes.families(heads)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGCONT)
    return sorted(paused)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the supervisor's API listens, and the token that it wants."""

    pid: int
    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def announce(state: Path, port: int) -> Address:
    """Keep the way to the API of this process, with a new token, readable by the owner alone."""
    address = Address(os.getpid(), port, secrets.token_urlsafe(32))
    content = {"pid": address.pid, "port": port, "token": address.token}
    write_private(state / _ADDRESS, json.dumps(content))
    return address


def address(state: Path) -> Address:
    """The running supervisor's address; NOT_RUNNING when there is none."""
    if is_occupied(state):
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Address(**json.loads((state / _ADDRESS).read_text()))
    raise BaluarteError.of(
        "NOT_RUNNING",
        f"no supervisor runs on {state}",
        "start one with `baluarte up`, or name its directory with --state-dir",
    )
