"""A platform of one's own: `baluarte up` in a process of its own, on free ports, in a folder of its own.

For runs that break things on purpose: what restarts a killed part and undoes a fault is the product's own
supervisor, and nothing is left after the block, whatever happened in it.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baluarte.embedded import processes
from baluarte.embedded.command import die_with_parent
from baluarte.embedded.ports import LOOPBACK, free_port
from baluarte.errors import BaluarteError
from baluarte.supervisor import client, occupancy
from baluarte.supervisor.plan import DEFAULT_PORTS

HOUSES = Path(__file__).resolve().parent.parent

READY_SECONDS = 90.0
"""A first start on a busy machine: initdb, migrations, five processes, demo data."""

STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.1  # between looks at something that is waited for
_SHOWN = 4_000  # characters of the output, when a start fails

UNLIMITED = {
    # Whoever breaks things is a few customers behind one address; the limiter is not under test.
    "BALUARTE_RATE_LIMIT": "1000000",
    "BALUARTE_LOGIN_LIMIT_ACCOUNT": "1000000",
    "BALUARTE_LOGIN_LIMIT_ADDRESS": "1000000",
    "BALUARTE_LOG_LEVEL": "INFO",
}

LIMITED = {
    # Each user of a load says its own address (docs/load.md), so that the limiter can stay on.
    "BALUARTE_TRUSTED_PROXIES": f"{LOOPBACK}/32",
    "BALUARTE_LOG_LEVEL": "INFO",
}
"""For `limits`: the usual ones, per user and per address that a client on this machine forwards."""


@dataclass
class Sandbox:
    """A running platform.

    Attributes:
        state: its state directory.
        ports: of each part, the supervisor's API included.
        process: the supervisor.
        output: the file with what it showed its operator.
    """

    state: Path
    ports: Mapping[str, int]
    process: asyncio.subprocess.Process
    output: Path

    @property
    def url(self) -> str:
        """Of the gateway."""
        return self.base("gateway")

    def base(self, part: str) -> str:
        """The address of a part."""
        return f"http://{LOOPBACK}:{self.ports[part]}"

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """One request to the supervisor. Raises `BaluarteError`."""
        address = await asyncio.to_thread(occupancy.address, self.state)
        return await asyncio.to_thread(client.ask, address, method, path, body)

    async def parts(self) -> dict[str, dict[str, Any]]:
        """How the supervisor sees its parts."""
        return {part["name"]: part for part in (await self.ask("GET", "/state"))["parts"]}

    async def ready(self, seconds: float = READY_SECONDS, *, but: Collection[str] = ()) -> None:
        """Wait until every part is ready (again), but for those named."""

        async def all_ready() -> bool:
            found = (await self.parts()).items()
            return all(part["state"] == "ready" for name, part in found if name not in but)

        await until(all_ready, seconds, "every part is ready")

    async def until_state(self, part: str, state: str, seconds: float = READY_SECONDS) -> None:
        """Wait until the supervisor says that a part is in `state`."""

        async def in_state() -> bool:
            return bool((await self.parts())[part]["state"] == state)

        await until(in_state, seconds, f"{part} is {state}")

    @contextlib.asynccontextmanager
    async def fault(self, part: str, kind: str, seconds: float) -> AsyncIterator[None]:
        """A fault while the block runs; it needs `--chaos`. The lease ends it if we do not."""
        body = {"part": part, "kind": kind, "seconds": seconds}
        made = await self.ask("POST", "/faults", body)
        try:
            yield
        finally:
            with contextlib.suppress(BaluarteError):  # the lease was over before
                await self.ask("DELETE", f"/faults/{made['id']}")

    def logs(self) -> str:
        """All that the parts wrote."""
        return "\n".join(
            path.read_text(errors="replace") for path in sorted((self.state / "logs").iterdir())
        )


async def until(check: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """Look until `check` says yes. Raises `BaluarteError` NOT_IN_TIME after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not await check():  # noqa: ASYNC110 - of another process
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise BaluarteError.of(
            "NOT_IN_TIME", f"it did not happen within {seconds:g} s that {what}", "see the logs"
        ) from None


def up(state: Path, *options: str) -> tuple[str, ...]:
    """The arguments of Python for `baluarte up` on `state`."""
    return ("-m", "baluarte", "up", "--state-dir", str(state), *options)


@contextlib.asynccontextmanager
async def sandbox(
    *options: str,
    environ: Mapping[str, str] | None = None,
    limits: Mapping[str, str] = UNLIMITED,
) -> AsyncIterator[Sandbox]:
    """A platform with demo data, ready to be used; ended, with all that it left, after the block.

    Args:
        options: further ones of `baluarte up`, such as `--chaos`.
        environ: further settings.
        limits: `UNLIMITED`, or `LIMITED` for loads that keep the rate limiter on.
    """
    with reachable_folder("sandbox") as folder:
        state = folder / "state"
        running = await start(up(state, *options), state, free_ports(), environ or {}, limits)
        try:
            yield running
        finally:
            await stop(running)


async def start(
    arguments: Sequence[str],
    state: Path,
    ports: Mapping[str, int],
    environ: Mapping[str, str],
    limits: Mapping[str, str] = UNLIMITED,
) -> Sandbox:
    """Run Python with `arguments`, which bring a platform up; returns when it says that it is ready.

    Raises `BaluarteError` SANDBOX_FAILED with the end of its output; nothing is left of it then.
    """
    told = {f"BALUARTE_{part.upper()}_PORT": str(port) for part, port in ports.items()}
    output = state.with_name("up.txt")
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=HOUSES,
            env=_plain() | dict(limits) | told | dict(environ),
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # an interrupted run leaves nothing
        )
    try:
        await _until_ready(process, output)
    except BaseException:
        await end(process)
        raise
    return Sandbox(state, ports, process, output)


async def stop(running: Sandbox) -> None:
    """Ask it to stop, as Ctrl-C does, and wait until it is gone."""
    await end(running.process)


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for all that is left after a while."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            left = processes.families_with_start([process.pid])
            process.kill()
            processes.end_same(left)
            await process.wait()


def free_ports() -> dict[str, int]:
    """A free port for each part, no two alike."""
    chosen: dict[str, int] = {}
    for part in DEFAULT_PORTS:
        while (port := free_port()) in chosen.values():
            pass
        chosen[part] = port
    return chosen


@contextlib.contextmanager
def reachable_folder(name: str) -> Iterator[Path]:
    """A temporary folder that the embedded servers' user may pass through."""
    path = Path(tempfile.mkdtemp(prefix=f"baluarte-{name}-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BALUARTE_")}


async def _until_ready(process: asyncio.subprocess.Process, output: Path) -> None:
    def shown() -> str:
        return output.read_text(errors="replace")

    async def told() -> bool:
        return process.returncode is not None or "Baluarte is ready" in shown()

    with contextlib.suppress(BaluarteError):
        await until(told, READY_SECONDS, "the platform is up")
    if process.returncode is not None or "Baluarte is ready" not in shown():
        raise BaluarteError.of(
            "SANDBOX_FAILED",
            f"the platform did not come up; the end of what it said:\n{shown()[-_SHOWN:]}",
            "correct the cause and start again",
        )
