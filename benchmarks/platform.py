"""The platform as its operator meets it: how soon it is up and down, and what a transfer costs in CPU.

    .venv/bin/python -m benchmarks.platform [--transfers N]

Starts a platform of its own on free ports, three times on one state directory; the first start makes the
databases and is shown for comparison. The CPU per transfer is what all processes of the platform used
(user and system, read from the kernel) while the driver moved money through GraphQL, divided by
the operations; the driver's own CPU is not in it.
Each part's share is a ratio within the run.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from baluarte.embedded.ports import free_port
from baluarte.supervisor.plan import DEFAULT_PORTS
from chaos.history.auditor import Auditor
from chaos.history.driver import DriveConfig, drive
from chaos.history.graphql import GraphQLClient
from chaos.history.workload import Mix
from tests.kill.platform import STAFF, Platform, start_platform, stop_platform
from tests.servers import reachable_directory

READY_GOAL = 8.0
STOP_GOAL = 5.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until everything was ready, CPU seconds that took, and seconds until all was gone again."""

    ready: float
    cpu: float
    stop: float


async def starts(folder: Path, ports: Mapping[str, int], times: int) -> list[Start]:
    """Start and stop on one state directory, `times` times."""
    found = []
    for _ in range(times):
        began = time.monotonic()
        running = await start_platform(folder, ports)
        ready = time.monotonic() - began
        cpu = _own_cpu(running.process.pid) + sum((await cpu_per_part(running)).values())
        began = time.monotonic()
        await stop_platform(running)
        found.append(Start(ready, cpu, time.monotonic() - began))
    return found


async def cpu_per_part(running: Platform) -> dict[str, float]:
    """CPU seconds used so far, by part."""
    return {name: _cpu(part["pid"]) for name, part in (await running.parts()).items()}


def _cpu(pid: int) -> float:
    """CPU seconds of a process, with its threads, its children that ended and those that live."""
    return sum(_own_cpu(member) for member in [pid, *_children(pid)])


def _own_cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / TICKS


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in listed.split()]


async def transfers(running: Platform, count: int) -> None:
    """Drive the platform and print what each part spent."""
    with tempfile.TemporaryDirectory() as folder:
        only = Mix(transfer=1, deposit=0, withdraw=0, reverse=0)
        config = DriveConfig(operations=count, in_flight=32, mix=only, repeat=0)
        async with (
            Auditor(await running.for_an_auditor()) as auditor,
            GraphQLClient(f"{running.url}/graphql", staff=STAFF) as client,
        ):
            await drive(
                DriveConfig(operations=50, in_flight=8), client, Path(folder) / "warm-up.jsonl"
            )
            before = await cpu_per_part(running)
            run = await drive(config, client, Path(folder) / "run.jsonl")
            await auditor.rest()
            after = await cpu_per_part(running)
    spent = {name: after[name] - before[name] for name in after}
    whole = sum(spent.values())
    print(f"\n{run.operations} transfers, {run.operations / run.seconds:.0f}/s, 32 in flight")
    print(f"CPU per end-to-end transfer: {1000 * whole / run.operations:.1f} ms, of which")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {name:<14} {1000 * seconds / run.operations:6.2f} ms  {seconds / whole:5.0%}")


async def measure(count: int) -> None:
    ports = {part: free_port() for part in DEFAULT_PORTS}
    with reachable_directory("bench") as folder:
        found = await starts(folder, ports, 3)
        print("start    ready s    CPU s   stop s")
        for number, start in enumerate(found, 1):
            print(f"{number:<8} {start.ready:7.1f} {start.cpu:8.1f} {start.stop:8.1f}")
        later = found[1:]
        ready, stop = max(s.ready for s in later), max(s.stop for s in later)
        print(f"from the second start on: ready {ready:.1f} s (goal {READY_GOAL:.0f} s),", end=" ")
        print(f"stopped {stop:.1f} s (goal {STOP_GOAL:.0f} s)")
        running = await start_platform(folder, ports)
        try:
            await transfers(running, count)
        finally:
            await stop_platform(running)


def main() -> None:
    parser = argparse.ArgumentParser(description="start, stop and CPU of the whole platform")
    parser.add_argument("--transfers", type=int, default=1_000)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.transfers))


if __name__ == "__main__":
    main()
