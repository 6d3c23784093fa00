"""The load as a process of its own: `python -m loadtests run`, which writes samples and a history."""

import asyncio
import contextlib
import ctypes
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from chaos.engine.plan import Plan, derived
from chaos.engine.ports import LoadError
from chaos.record import Sample

HOUSES: Final = Path(__file__).resolve().parents[2]

READY_SECONDS: Final = 60.0
"""For the first users to sign in, on a busy machine."""

SPARE_SECONDS: Final = 60.0
"""More than the run's longest, after which a load that nobody stops ends by itself."""

MAX_READ: Final = 4 * 1024 * 1024
"""Of new samples at a time."""

SHOWN: Final = 2_000  # characters of its last words, when it dies

_PR_SET_PDEATHSIG: Final = 1
_SAMPLE: Final = msgspec.json.Decoder(Sample)


def command(plan: Plan, roster: Path, folder: Path, start: float) -> list[str]:
    """How the load is started. Its sampling times are counted from `start` on the monotonic clock."""
    load = plan.scenario.load
    journeys = ",".join(f"{name}={weight}" for name, weight in load.journeys.items())
    return [
        *(sys.executable, "-m", "loadtests", "run"),
        *("--roster", str(roster), "--out", str(folder)),
        *("--seconds", f"{plan.scenario.seconds + SPARE_SECONDS:g}"),
        *("--journeys", journeys, "--rate", f"{load.rate:g}", "--users", str(load.users)),
        *("--seed", str(derived(plan.seed, "load")), "--start", repr(start)),
    ]


class LoadProcess:
    """One load.

    Args:
        command: starts it.
        folder: where it writes.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._file: BinaryIO | None = None
        self._rest = b""
        self._stopping = False

    async def start(self) -> None:
        """Returns when its first users are ready."""
        log = self._folder / "load.log"
        with log.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=HOUSES,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        out = self._process.stdout
        assert out is not None  # noqa: S101 - asked for above
        try:
            async with asyncio.timeout(READY_SECONDS):
                while line := await out.readline():
                    if b'"ready"' in line:
                        return
        except TimeoutError:
            raise LoadError(f"the load was not ready within {READY_SECONDS:g} s") from None
        raise LoadError(f"the load did not begin: {self._last_words()}")

    def heard(self) -> list[Sample]:
        """The answers since the last call."""
        if self._file is None:
            with contextlib.suppress(FileNotFoundError):
                self._file = (self._folder / "samples.jsonl").open("rb")
        lines: list[bytes] = []
        if self._file is not None:
            *lines, self._rest = (self._rest + self._file.read(MAX_READ)).split(b"\n")
        code = self._process.returncode if self._process else None
        if code is not None and not self._stopping:
            raise LoadError(f"the load ended by itself ({code}): {self._last_words()}")
        try:
            return [_SAMPLE.decode(line) for line in lines if line]
        except msgspec.DecodeError as error:
            raise LoadError(f"the load wrote a sample that is none: {error}") from error

    async def stop(self) -> None:
        """SIGTERM: it asks no more, learns what became of what is open, and ends."""
        if self._process is None or self._stopping:
            return
        self._stopping = True
        if self._process.returncode is None:
            self._process.terminate()
        code = await self._process.wait()
        if code != 0:
            raise LoadError(f"it ended with {code}: {self._last_words()}")

    def kill(self) -> None:
        """At once, if it still runs; closes what was read."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def close(self) -> None:
        """Let go of its file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return (self._folder / "load.log").read_text(errors="replace")[-SHOWN:].strip()
        return "it said nothing"


def _die_with_parent() -> None:
    """Have the kernel end the load when the engine is killed (Linux; elsewhere `--seconds` does)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
