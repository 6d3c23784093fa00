"""A whole platform of the test's own, on free ports, whose parts can be killed.

It is `baluarte up` in a process of its own, so what restarts a killed part is the product's supervisor.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from baluarte.demo_data import PASSWORD, USERS
from baluarte.embedded import processes
from baluarte.embedded.command import _die_with_parent
from baluarte.embedded.places import Places
from baluarte.embedded.ports import free_port
from baluarte.embedded.postgres import EmbeddedPostgres
from baluarte.migrate import HOUSES, database_name, with_database
from baluarte.supervisor.plan import DEFAULT_PORTS
from chaos.history.snapshot import Urls
from tests.servers import Broker, reachable_directory, running_broker
from tests.waiting import eventually

READY_SECONDS = 90.0
"""A first start on a busy machine: initdb, migrations, five processes, demo data."""

STOP_SECONDS = 30.0

UNLIMITED = {
    # The driver is a few customers behind one address; what is under test is money, not the limiter.
    "BALUARTE_RATE_LIMIT": "1000000",
    "BALUARTE_LOGIN_LIMIT_ACCOUNT": "1000000",
    "BALUARTE_LOGIN_LIMIT_ADDRESS": "1000000",
    "BALUARTE_LOG_LEVEL": "INFO",
}

STAFF = (next(user.email for user in USERS if user.key == "admin"), PASSWORD)


@dataclass
class Platform:
    """A running platform.

    Attributes:
        url: of the gateway.
        databases: what the auditor reads, as the platform's own role; see `for_an_auditor`.
        broker: the RabbitMQ that the bus runs on, if it does.
    """

    state: Path
    ports: Mapping[str, int]
    databases: Urls
    broker: Broker | None
    process: asyncio.subprocess.Process
    output: Path
    start_again: Callable[[], Awaitable["Platform"]]
    """Starts the platform once more on the same state and ports, as its operator would."""
    killed: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def server_url(self) -> str:
        """Of the embedded PostgreSQL, as a role that may do everything."""
        return EmbeddedPostgres(Places(self.state), self.ports["postgres"]).url

    async def for_an_auditor(self) -> Urls:
        """The databases as the role that docs/proof-of-money.md asks for: it can read, and no more."""
        connection = await asyncpg.connect(self.server_url)  # type: ignore[no-untyped-call]
        try:
            await connection.execute("DROP ROLE IF EXISTS auditor")
            await connection.execute(
                "CREATE ROLE auditor LOGIN PASSWORD 'auditor' IN ROLE pg_read_all_data"
            )
        finally:
            await connection.close()
        return _urls(f"postgresql://auditor:auditor@127.0.0.1:{self.ports['postgres']}/postgres")

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return database_name(service)

    def base(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    async def parts(self) -> dict[str, dict[str, Any]]:
        """How the supervisor sees its parts."""
        told = json.loads((self.state / "supervisor.json").read_text())
        headers = {"authorization": f"Bearer {told['token']}"}
        url = f"http://127.0.0.1:{self.ports['supervisor']}/state"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return {part["name"]: part for part in (await answer.json())["parts"]}

    async def kill(self, part: str) -> None:
        """SIGKILL for a part, as an out-of-memory killer would: no word, no clean-up.

        Returns when the supervisor has noticed: until then it calls the part ready.
        """
        if part == "rabbitmq":
            await self._kill_broker()
        elif part == "supervisor":
            await self._kill_supervisor()
        else:
            await self._kill_child(part)
        self.killed.append(part)

    async def _kill_child(self, part: str) -> None:
        async def pid_now() -> int | None:
            pid: int | None = (await self.parts())[part]["pid"]
            return pid

        pid = await eventually(pid_now, why=f"{part} runs")
        assert pid is not None
        # A surviving backend of PostgreSQL could otherwise write on for its dead postmaster.
        for member in [pid, *(_children(pid) if part == "postgres" else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)

        async def noticed() -> bool:
            return await pid_now() != pid

        await eventually(noticed, why=f"the end of {part} is noticed")

    async def _kill_supervisor(self) -> None:
        """Everything dies with it, and only its operator can start it again."""
        self.process.kill()
        await self.process.wait()
        self.process = (await self.start_again()).process

    async def _kill_broker(self) -> None:
        assert self.broker is not None
        await asyncio.to_thread(self.broker.node.kill)
        await asyncio.to_thread(self.broker.node.start)

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until every part is ready (again)."""

        async def all_ready() -> bool:
            parts = await self.parts()
            return all(part["state"] == "ready" for part in parts.values())

        await eventually(all_ready, seconds, why="every part is ready")

    def logs(self) -> str:
        """All that the parts wrote."""
        return "\n".join(
            path.read_text(errors="replace") for path in sorted((self.state / "logs").iterdir())
        )


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    found.append(int(entry.name))
    return found


@asynccontextmanager
async def platform(
    *,
    rabbitmq: bool = False,
    modules: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Platform]:
    """A platform with demo data, ready to be used; ended, with all that it left, after the block.

    Args:
        rabbitmq: whether the bus is RabbitMQ instead of PostgreSQL.
        modules: alternative composition roots by process.
        environ: further settings.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(reachable_directory("platform"))
        broker = None
        if rabbitmq:
            there = stack.enter_context(reachable_directory("broker"))
            broker = await asyncio.to_thread(stack.enter_context, running_broker(there))
        ports = {part: free_port() for part in DEFAULT_PORTS}
        running = await start_platform(
            folder, ports, broker=broker, modules=modules, environ=environ
        )
        try:
            yield running
        finally:
            await stop_platform(running)


async def start_platform(
    folder: Path,
    ports: Mapping[str, int],
    *,
    broker: Broker | None = None,
    modules: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Platform:
    """`baluarte up` with its state in `folder`; returns when it says that it is ready."""
    told = {f"BALUARTE_{part.upper()}_PORT": str(port) for part, port in ports.items()}
    if broker is not None:
        told["BALUARTE_AMQP_URL"] = broker.url
    state, output = folder / "state", folder / "up.txt"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.kill.up",
            str(state),
            json.dumps(dict(modules or {})),
            cwd=HOUSES,
            env=_plain() | UNLIMITED | told | dict(environ or {}),
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent(signal.SIGTERM),  # an interrupted run leaves nothing
        )
    try:
        await _until_ready(process, output)
    except BaseException:
        await _end(process)
        raise
    server = EmbeddedPostgres(Places(state), ports["postgres"]).url

    def start_again() -> Awaitable[Platform]:
        return start_platform(folder, ports, broker=broker, modules=modules, environ=environ)

    return Platform(state, ports, _urls(server), broker, process, output, start_again)


async def stop_platform(running: Platform) -> None:
    """Ask it to stop, as Ctrl-C does, and wait until it is gone."""
    await _end(running.process)


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BALUARTE_")}


async def _until_ready(process: asyncio.subprocess.Process, output: Path) -> None:
    def told() -> bool:
        assert process.returncode is None, output.read_text(errors="replace")[-4_000:]
        return "Baluarte is ready" in output.read_text(errors="replace")

    try:
        await eventually(told, READY_SECONDS, why="the platform is up")
    except AssertionError as error:
        raise AssertionError(output.read_text(errors="replace")[-4_000:]) from error


def _urls(server: str) -> Urls:
    return Urls(
        **{
            name: with_database(server, database_name(name))
            for name in ("ledger", "transactions", "notifications")
        }
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            left = processes.families_with_start([process.pid])
            process.kill()
            processes.end_same(left)
            await process.wait()
