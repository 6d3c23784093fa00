"""Processes that serve beside the platform, alike but for one thing, and the CPU that they use."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from baluarte.embedded.command import die_with_parent
from baluarte.embedded.ports import free_port
from baluarte.sandbox import Sandbox

MODULES = {"users": "services.users", "gateway": "graphql_api"}
"""What a branch consists of; each process calls those before it."""

READY_SECONDS = 90.0
"""For the two processes of a branch, on a machine that does other things too."""

STOP_SECONDS = 10.0
_SCHEDULED = 2  # CPUCLOCK_SCHED of the kernel's posix-timers: what all threads of a process ran


def cpu_seconds(pid: int) -> float:
    """CPU that a process used so far, with all its threads, to the nanosecond.

    `clock_getcpuclockid(3)` makes the same number of the pid; Python offers it for threads only.
    """
    return time.clock_gettime((~pid << 3) | _SCHEDULED)


async def pids(platform: Sandbox) -> dict[str, int]:
    """Of the platform's own parts."""
    return {name: part["pid"] for name, part in (await platform.parts()).items()}


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@dataclass
class Branch:
    """A gateway and a users process of its own.

    Attributes:
        settings: in which it differs from the others.
        muted: whether it counts nothing.
        cpu: seconds per request, of each round.
        latencies: seconds of each request, of each round.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    muted: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)
    latencies: list[list[float]] = field(default_factory=list)

    def url(self, process: str) -> str:
        return f"http://127.0.0.1:{self.ports[process]}"

    def cpu_seconds(self) -> float:
        """Used so far by all its processes."""
        return sum(cpu_seconds(child.pid) for child in self.processes.values())

    def start(self, told: Mapping[str, Mapping[str, str]]) -> None:
        """Start both, with the settings in `told` by process, as the platform's own have them."""
        addresses: dict[str, str] = {}
        for process, module in MODULES.items():
            port = self.ports[process] = free_port()
            own = {**told[process], **addresses, "BALUARTE_PORT": str(port), **self.settings}
            entry = ("benchmarks.observability.muted", process) if self.muted else (module,)
            self.processes[process] = subprocess.Popen(
                [sys.executable, "-m", *entry],
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
            addresses[f"BALUARTE_{process.upper()}_URLS"] = self.url(process)

    def stop(self) -> None:
        for child in self.processes.values():
            child.terminate()
        for child in self.processes.values():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until both say that they are. Raises TimeoutError after `READY_SECONDS`."""
        async with asyncio.timeout(READY_SECONDS):
            for process in MODULES:
                # A look at another process, which cannot set an event here.
                while not await _answers(session, f"{self.url(process)}/health/ready"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def started(
    branches: Sequence[Branch], platform: Mapping[str, int], session: aiohttp.ClientSession
) -> AsyncIterator[None]:
    """All branches, ready while the block lasts, beside the platform whose pids are given.

    One after the other: ten processes that load at once take each other's time, and a port is free until
    it is bound.
    """
    told = {process: environment_of(platform[process]) for process in MODULES}
    try:
        for branch in branches:
            branch.start(told)
            await branch.ready(session)
        yield
    finally:
        for branch in branches:
            branch.stop()


@contextmanager
def collector() -> Iterator[str]:
    """A collector's address, while the block lasts."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.observability.collector"],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        preexec_fn=die_with_parent(signal.SIGTERM),
    )
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
    finally:
        child.terminate()
        child.wait(STOP_SECONDS)
