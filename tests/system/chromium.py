"""A browser without a screen and without a network but this machine's: what people see, as text."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.browser import FLAGS, MISSING, program
from tests.servers import unavailable

SECONDS = 100.0
"""Longest wait for a page on a busy machine; a quiet one takes two seconds."""

_FLAGS = (
    *FLAGS,
    # The page's own clock runs ahead while it waits for nothing, so that it is drawn when it is read.
    "--virtual-time-budget=10000",
)


@dataclass(frozen=True)
class Opened:
    """A page after its scripts have run."""

    dom: str
    console: tuple[str, ...]
    """What it wrote to the console: errors, and requests that its own policy forbade, among it."""


async def rendered(url: str) -> str:
    """The page's DOM after its scripts have run. Skips (in CI: fails) where there is no Chromium."""
    return (await opened(url)).dom


async def opened(url: str) -> Opened:
    """The page's DOM and its console. Skips (in CI: fails) where there is no Chromium."""
    browser = program()
    if browser is None:
        unavailable(MISSING)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        process = await asyncio.create_subprocess_exec(
            browser,
            *_FLAGS,
            f"--user-data-dir={Path(home) / 'profile'}",
            "--enable-logging=stderr",
            "--dump-dom",
            url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, told = await asyncio.wait_for(process.communicate(), SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    lines = told.decode(errors="replace").splitlines()
    return Opened(output.decode(), tuple(line for line in lines if ":CONSOLE" in line))
