"""A child process for the supervisor's tests: serves health on BALUARTE_PORT, and misbehaves.

python fake_part.py [mode]        modes: see `MODES`; none is a well-behaved one
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

MODES = ("good", "deaf", "crash", "unready", "flaky", "grandchild", "runaway", "chatty")
SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(300)"]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    ready = MODE != "unready" and not Path(os.environ.get("FAKE_UNREADY_FILE", "/-")).exists()
    status = b"200 OK" if ready else b"503 Service Unavailable"
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def main() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGTERM, done.set)
    if MODE in {"grandchild", "runaway"}:
        child = subprocess.Popen(SLEEPER, start_new_session=MODE == "runaway")
        print(f'{{"timestamp": "2026-01-01T00:00:00Z", "event": "child {child.pid}"}}', flush=True)
    if MODE == "chatty":
        print("plain words\n" + "x" * 50_000, flush=True)
    server = await asyncio.start_server(answer, "127.0.0.1", int(os.environ["BALUARTE_PORT"]))
    async with server:
        await done.wait()


MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
if MODE == "crash":
    sys.exit("no such table: nowhere")
if MODE == "flaky":  # fails once
    marker = Path(os.environ["FAKE_MARKER_FILE"])
    if not marker.exists():
        marker.touch()
        sys.exit(7)
asyncio.run(main())
