"""What a scrape costs the process that is scraped, and the requests that it serves meanwhile."""

import statistics
from dataclasses import dataclass, field

import aiohttp

from benchmarks.observability.asking import EVERY, Client, percentile, scrape, scraping
from benchmarks.observability.branches import MODULES, Branch, cpu_seconds

SCRAPES = 20
"""Of one process in one block."""

BLOCK_SECONDS = 5.0
INTERVALS = (15.0, 1.0)
"""Seconds: Prometheus' usual one here (`monitoring/prometheus`), and one for the impatient."""


@dataclass
class Scraped:
    """A process and what a scrape of it costs: CPU seconds of each block, bytes of the last page."""

    name: str
    pid: int
    url: str
    cpu: list[float] = field(default_factory=list)
    bytes: int = 0

    async def block(self, session: aiohttp.ClientSession) -> None:
        before = cpu_seconds(self.pid)
        for _ in range(SCRAPES):
            self.bytes = await scrape(session, self.url)
        self.cpu.append((cpu_seconds(self.pid) - before) / SCRAPES)


async def costs(
    session: aiohttp.ClientSession, targets: list[Scraped], rounds: int
) -> list[Scraped]:
    """Scrape all in turns."""
    for _ in range(rounds):
        for target in targets:
            await target.block(session)
    return targets


def report_costs(measured: list[Scraped]) -> None:
    shares = "".join(f"{f'every {interval:g} s':>12}" for interval in INTERVALS)
    print(f"\n{'one scrape of':<22}{'CPU ms':>8}{'bytes':>9}{shares}   of one core")
    for target in measured:
        cpu = statistics.median(target.cpu)
        shares = "".join(f"{cpu / interval:>12.3%}" for interval in INTERVALS)
        print(f"{target.name:<22}{cpu * 1e3:8.2f}{target.bytes:9,}{shares}")


async def beside(
    session: aiohttp.ClientSession, client: Client, branch: Branch, rounds: int
) -> tuple[list[list[float]], list[list[float]]]:
    """Latencies of blocks without scrapes and of blocks with one a second, in turns."""
    quiet: list[list[float]] = []
    scraped: list[list[float]] = []
    made = 0
    for _ in range(rounds):
        quiet.append(await client.last(branch, BLOCK_SECONDS))
        async with scraping(session, branch) as sizes:
            scraped.append(await client.last(branch, BLOCK_SECONDS))
        made += len(sizes)
    due = int(rounds * BLOCK_SECONDS / EVERY) * len(MODULES)
    # Fewer, where a scrape takes longer than a second, as on a machine that is too busy.
    print(f"\nbeside requests: {made} scrapes made of {due} due")
    return quiet, scraped


def report_beside(quiet: list[list[float]], scraped: list[list[float]]) -> None:
    print(f"{'requests':<22}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}")
    for name, blocks in (("not scraped", quiet), ("scraped each second", scraped)):
        told = (
            statistics.median(percentile(block, share) for block in blocks)
            for share in (0.5, 0.95, 0.99)
        )
        print(f"{name:<22}" + "".join(f"{seconds * 1e3:8.2f}" for seconds in told))
    ratios = (
        statistics.median(
            percentile(with_, share) / percentile(without, share)
            for without, with_ in zip(quiet, scraped, strict=True)
        )
        for share in (0.5, 0.95, 0.99)
    )
    print(f"{'ratio, block to block':<22}" + "".join(f"{ratio:8.2f}" for ratio in ratios))
