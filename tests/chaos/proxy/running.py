"""`python -m chaos.proxy` as a child, for tests that drive it from outside."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOUSES = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Running:
    """A proxy server in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    seed: int
    port: int


@contextlib.contextmanager
def running_proxy(*options: str) -> Iterator[Running]:
    """Start it on a free port; it must stop cleanly when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.proxy", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=HOUSES,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"fault proxy on (http://127\.0\.0\.1:(\d+)), seed (\d+)\n", line)
        assert found, f"it said {line!r}"
        yield Running(process, found[1], int(found[3]), int(found[2]))
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
