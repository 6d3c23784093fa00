"""`python -m benchmarks.observability`: see the package's own docstring for what is measured and how."""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import aiohttp

from baluarte.sandbox import Sandbox, sandbox
from benchmarks.observability import scrapes
from benchmarks.observability.asking import Client, percentile, sign_in
from benchmarks.observability.branches import MODULES, Branch, collector, pids, started
from benchmarks.observability.scrapes import Scraped

SETTLE_SECONDS = 6.0
"""After which what a block left to be sent has been sent: the SDK's exporter waits for 5 s at most."""

IDLE_SECONDS = 10.0
WARM_UP = 200
BLOCK = 25
"""Requests of one branch in a row: a tenth of a second, shorter than most of what else goes on."""

SPOILT = 0.01
"""Share of the answers; with more, the requests of the run were not all alike."""

Figure = Callable[[Branch, int], float]


def branches(otlp: str) -> list[Branch]:
    """The plain one, which all are measured by, comes first."""

    def traced(sample: str) -> dict[str, str]:
        return {"BALUARTE_OTLP_URL": otlp, "BALUARTE_TRACE_SAMPLE": sample}

    return [
        Branch("no traces (plain)"),
        Branch("no traces, no metrics", muted=True),
        Branch("traces, sample 0", traced("0")),
        Branch("traces, sample 0.1", traced("0.1")),
        Branch("traces, sample 1", traced("1")),
    ]


async def idle(all_of_them: Sequence[Branch]) -> list[float]:
    """CPU seconds per second of each branch that nobody asks anything."""
    await asyncio.sleep(SETTLE_SECONDS)
    before, began = [branch.cpu_seconds() for branch in all_of_them], time.perf_counter()
    await asyncio.sleep(IDLE_SECONDS)
    passed = time.perf_counter() - began
    return [
        (branch.cpu_seconds() - used) / passed
        for branch, used in zip(all_of_them, before, strict=True)
    ]


async def one_round(
    client: Client, all_of_them: Sequence[Branch], turns: int, resting: Sequence[float]
) -> None:
    """Each branch twice a turn, there and back again, and what they used until all was sent."""
    before, began = [branch.cpu_seconds() for branch in all_of_them], time.perf_counter()
    for branch in all_of_them:
        branch.latencies.append([])
    for branch in (*all_of_them, *reversed(all_of_them)) * turns:
        branch.latencies[-1] += await client.count(branch, BLOCK)
    await asyncio.sleep(SETTLE_SECONDS)
    passed = time.perf_counter() - began
    for branch, used, rate in zip(all_of_them, before, resting, strict=True):
        spent = branch.cpu_seconds() - used - rate * passed
        branch.cpu.append(spent / len(branch.latencies[-1]))


def report(all_of_them: Sequence[Branch], spans: int, sent: int) -> None:
    """The table: medians over the rounds, and medians of the ratios within a round."""
    figures: dict[str, Figure] = {
        "CPU": lambda branch, at: branch.cpu[at],
        "p50": lambda branch, at: percentile(branch.latencies[at], 0.50),
        "p95": lambda branch, at: percentile(branch.latencies[at], 0.95),
    }
    rounds = range(len(all_of_them[0].cpu))
    print(f"\n{'a request (`me`)':<24}" + "".join(f"{f'{name} ms':>9}   ratio" for name in figures))
    for branch in all_of_them:
        row = ""
        for figure in figures.values():
            own = statistics.median(figure(branch, at) for at in rounds)
            to_plain = (figure(branch, at) / figure(all_of_them[0], at) for at in rounds)
            row += f"{own * 1e3:9.2f}{statistics.median(to_plain):8.3f}"
        print(f"{branch.name:<24}{row}")
    print(f"the collector took {spans:,} spans in {sent:,} bytes")


def worth(client: Client) -> bool:
    """Whether all but a few answers were what they should be: others cost something else."""
    share = client.spoilt / client.asked
    print(f"\nanswers that were not whole and fresh: {client.spoilt} of {client.asked:,}", end="")
    print("" if share <= SPOILT else ": TOO MANY, the machine is too busy to measure on")
    return share <= SPOILT


async def targets(platform: Sandbox, plain: Branch) -> list[Scraped]:
    """The plain branch's processes, which have been busy, and those that the platform has besides."""
    own = await pids(platform)
    others = ("ledger", "transactions", "notifications")
    found = [Scraped(name, plain.processes[name].pid, plain.url(name)) for name in MODULES]
    return found + [Scraped(name, own[name], platform.base(name)) for name in others]


async def measure(rounds: int, turns: int) -> bool:
    """Measure and print it all. Returns whether the run is worth anything."""
    async with sandbox() as platform, aiohttp.ClientSession() as session:
        with collector() as otlp:
            all_of_them = branches(otlp)
            async with started(all_of_them, await pids(platform), session):
                client = Client(session, await sign_in(session, platform.url))
                for branch in all_of_them:
                    await client.count(branch, WARM_UP)
                resting = await idle(all_of_them)
                rates = ", ".join(f"{rate:.1%}" for rate in resting)
                print(f"a branch that nobody asks uses {rates} of a core")
                for _ in range(rounds):
                    await one_round(client, all_of_them, turns, resting)
                async with session.get(otlp) as answer:
                    took = await answer.json()
                report(all_of_them, took["spans"], took["bytes"])
                plain = all_of_them[0]
                scraped = await scrapes.costs(session, await targets(platform, plain), rounds)
                scrapes.report_costs(scraped)
                scrapes.report_beside(*await scrapes.beside(session, client, plain, rounds))
                return worth(client)


def main() -> int:
    parser = argparse.ArgumentParser(description="what telling about itself costs the platform")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turns", type=int, default=8, help="there and back again, in a round")
    given = parser.parse_args()
    return 0 if asyncio.run(measure(given.rounds, given.turns)) else 1


if __name__ == "__main__":
    sys.exit(main())
