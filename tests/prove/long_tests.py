"""Tests that are too long for the suite: marked `prove`, and run as proofs of their own."""

import asyncio
import os
import re
import signal
import sys

from tests.prove.ledger_of_proofs import ROOT, Figures, Proof


def _test(name: str, shows: str, file: str, folders: tuple[str, ...]) -> Proof:
    """The proof that the long tests of one file pass."""

    async def run() -> Figures:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-m", "prove", file),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        text = printed.decode(errors="replace")
        passed = re.search(r"(\d+) passed", text)
        if process.returncode or passed is None:
            raise AssertionError(f"{file} does not pass:\n{text[-3_000:]}")
        return {"tests": int(passed[1])}

    return Proof(name, shows, run, folders=folders)


PROOFS = (
    _test(
        "memory-million-calls",
        "a million calls with 100,000 distinct keys hold no more memory than a tenth of them",
        "tests/resilience/test_memory.py",
        ("resilience", "tests/resilience/test_memory.py"),
    ),
)
