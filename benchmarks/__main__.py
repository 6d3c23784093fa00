"""`make bench`: every benchmark, each in a process of its own, or those that are named."""

import os
import subprocess
import sys

BENCHMARKS = {
    "ledger": "postings per second, group commit beside plain statements",
    "resilience": "cost of the policies, as ratios to a bare await and to other libraries",
    "proxy": "the fault proxy beside a direct connection: latency and throughput",
    "platform": "start, stop, and CPU per end-to-end transfer",
    "console": "what the console costs while somebody looks, and its reader beside the usual one",
    "observability": "what metrics, traces and scrapes cost a request, as ratios",
}


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(
            f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
        return 2
    failed = 0
    for name in names or BENCHMARKS:
        print(f"\n== {name}: {BENCHMARKS[name]}", flush=True)
        print(f"{os.cpu_count()} cores, load average before: {os.getloadavg()[0]:.1f}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
