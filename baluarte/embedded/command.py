"""A child process as a value: what to run, as whom, and how it is asked to end."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baluarte.embedded.identity import Identity, credentials

_PR_SET_PDEATHSIG = 1
_EXIT_PARENT_GONE = 117


@dataclass(frozen=True, slots=True)
class Command:
    """Arguments, environment (whole, nothing is inherited) and the signals that end it.

    `orphan_signal` is sent by the kernel when the supervisor dies without a word (Linux only).
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    identity: Identity | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGTERM

    def popen_arguments(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.Popen` and `asyncio.create_subprocess_exec`.

        The child leads its own process group, so that its grandchildren can be ended with it and a
        Ctrl-C in the terminal reaches the supervisor alone, which then stops things in order.
        """
        return {
            "env": dict(self.environment),
            "cwd": self.directory,
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "preexec_fn": die_with_parent(self.orphan_signal),
            **credentials(self.identity),
        }


def die_with_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child runs before exec: ask the kernel for `orphan_signal` at our death."""
    if not sys.platform.startswith("linux"):
        return None
    # Loaded before the fork: the child may only make the system calls.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def request() -> None:
        prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(_EXIT_PARENT_GONE)

    return request


def plain_environment(**extra: str) -> dict[str, str]:
    """A small environment for servers of other makers: a path, a locale, and `extra`."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", **extra}
