"""What the console costs: the supervisor and the processes while somebody looks, beside the same left alone.

    .venv/bin/python -m benchmarks.console [--rounds N] [--seconds S]

A platform of its own, at rest. Stretches without and with a viewer take turns; CPU comes from the kernel's
clock of each process, less nothing: what the platform does by itself is in both. The pages of its processes
are then read by the console's reader and by `prometheus_client`'s parser, in turns.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from baluarte.console.access import token_of
from baluarte.console.names import HEADER
from baluarte.console.reading import read
from baluarte.sandbox import Sandbox, sandbox
from benchmarks.observability.branches import cpu_seconds, pids

READS = 10
"""Of all pages, by each reader."""

PROCESSES = ("gateway", "users", "ledger", "transactions", "notifications")
SETTLE_SECONDS = 32.0
"""After the last viewer has gone the console looks on for half a minute."""


@contextlib.asynccontextmanager
async def viewer(running: Sandbox) -> AsyncIterator[list[int]]:
    """Somebody who looks while the block runs; the sizes of what they were sent, in bytes."""
    base = f"{running.base('supervisor')}/console"
    token = await asyncio.to_thread(token_of, running.state)
    sizes: list[int] = []
    jar = aiohttp.CookieJar(unsafe=True)  # for an address in place of a name
    async with aiohttp.ClientSession(cookie_jar=jar, headers={HEADER: "1"}) as session:
        async with session.post(f"{base}/session", json={"secret": token}) as answer:
            answer.raise_for_status()

        async def follow() -> None:
            timeout = aiohttp.ClientTimeout(total=None)
            stream = session.get(f"{base}/stream", timeout=timeout, read_bufsize=2**20)
            async with stream as news:
                news.raise_for_status()
                async for line in news.content:
                    if line.startswith(b"data: "):
                        sizes.append(len(line))  # noqa: PERF401 - as they come, until cancelled

        task = asyncio.create_task(follow())
        try:
            yield sizes
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def spent(processes: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Milliseconds of CPU a second of each process, over so many seconds."""
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    began = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    return {name: (cpu_seconds(pid) - before[name]) / took * 1e3 for name, pid in processes.items()}


def cpu_of(work: Callable[[], object]) -> float:
    """CPU milliseconds of one call."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1e3


async def watching(running: Sandbox, rounds: int, seconds: float) -> None:
    """Alone and watched, in turns."""
    processes = {"supervisor": running.process.pid, **await pids(running)}
    measured = {name: pid for name, pid in processes.items() if name in {"supervisor", *PROCESSES}}
    alone: dict[str, list[float]] = {name: [] for name in measured}
    watched: dict[str, list[float]] = {name: [] for name in measured}
    sent: list[int] = []
    for _ in range(rounds):
        for name, value in (await spent(measured, seconds)).items():
            alone[name].append(value)
        async with viewer(running) as sizes:
            for name, value in (await spent(measured, seconds)).items():
                watched[name].append(value)
        sent += sizes
        await asyncio.sleep(SETTLE_SECONDS)
    print(f"{'CPU, ms a second':<18}{'alone':>8}{'watched':>9}{'ratio':>8}")
    for name in measured:
        one, other = statistics.median(alone[name]), statistics.median(watched[name])
        print(f"{name:<18}{one:8.1f}{other:9.1f}{other / one:7.1f}×")
    views = f"{len(sent) / (rounds * seconds):.2f} a second" if sent else "none"
    print(f"views: {views}, {statistics.median(sent):,.0f} bytes" if sent else f"views: {views}")


async def reading(running: Sandbox) -> None:
    """The console's reader beside the usual one."""
    async with aiohttp.ClientSession() as session:
        pages = []
        for name in PROCESSES:
            async with session.get(f"{running.base(name)}/metrics") as answer:
                pages.append(await answer.text())

    def ours() -> None:
        for page in pages:
            read(page, 0.0)

    def usual() -> None:
        for page in pages:
            for _ in text_string_to_metric_families(page):
                pass

    times = [(cpu_of(ours), cpu_of(usual)) for _ in range(READS)]
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    lines = sum(page.count("\n") for page in pages)
    print(f"\nreading {len(pages)} pages, {lines:,} lines: {mine:.1f} ms CPU")
    print(f"prometheus_client's parser: {theirs:.1f} ms, {theirs / mine:.1f} × as much")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of one stretch")
    given = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}")
    async with sandbox() as running:
        await running.ready()
        await asyncio.sleep(SETTLE_SECONDS)  # what the start has left to do
        await watching(running, given.rounds, given.seconds)
        await reading(running)


if __name__ == "__main__":
    asyncio.run(main())
