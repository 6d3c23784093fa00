"""A browser without a screen and without a network but this machine's: what people see, as text."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.servers import unavailable

SECONDS = 100.0
"""Longest wait for a page on a busy machine; a quiet one takes two seconds."""

_FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is ever looked up: a page that needs another host shows that it does.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-server=direct://",
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
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        unavailable("chromium is not installed (Debian: apt install chromium)")
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
