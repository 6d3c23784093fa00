"""A whole platform of the test's own, on free ports, whose parts can be killed.

It is a sandbox (`baluarte/sandbox.py`), so what restarts a killed part is the product's supervisor.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from baluarte import auditor, sandbox
from baluarte.demo_data import PASSWORD, USERS
from baluarte.embedded.places import Places
from baluarte.embedded.postgres import EmbeddedPostgres
from baluarte.migrate import database_name, with_database
from baluarte.sandbox import Sandbox
from chaos.history.snapshot import Urls
from tests.servers import Broker, reachable_directory, running_broker
from tests.waiting import eventually

STAFF = (next(user.email for user in USERS if user.key == "admin"), PASSWORD)


@dataclass(kw_only=True)
class Platform(Sandbox):
    """A running platform.

    Attributes:
        databases: what the auditor reads, as the platform's own role; see `for_an_auditor`.
        broker: the RabbitMQ that the bus runs on, if it does.
    """

    databases: Urls
    broker: Broker | None = None
    start_again: Callable[[], Awaitable["Platform"]]
    """Starts the platform once more on the same state and ports, as its operator would."""
    killed: list[str] = field(default_factory=list)

    @property
    def server_url(self) -> str:
        """Of the embedded PostgreSQL, as a role that may do everything."""
        return EmbeddedPostgres(Places(self.state), self.ports["postgres"]).url

    async def for_an_auditor(self) -> Urls:
        """The databases as the role that docs/proof-of-money.md asks for: it can read, and no more."""
        password = secrets.token_urlsafe()
        await auditor.admit(self.server_url, password)
        return Urls(**auditor.urls(self.server_url, password))

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return database_name(service)

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
        ports = sandbox.free_ports()
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
    told = dict(environ or {})
    if broker is not None:
        told["BALUARTE_AMQP_URL"] = broker.url
    state = folder / "state"
    arguments = ("-m", "tests.kill.up", str(state), json.dumps(dict(modules or {})))
    running = await sandbox.start(arguments, state, ports, told)

    def start_again() -> Awaitable[Platform]:
        return start_platform(folder, ports, broker=broker, modules=modules, environ=environ)

    return Platform(
        state=state,
        ports=ports,
        process=running.process,
        output=running.output,
        databases=_urls(EmbeddedPostgres(Places(state), ports["postgres"]).url),
        broker=broker,
        start_again=start_again,
    )


async def stop_platform(running: Platform) -> None:
    """Ask it to stop, as Ctrl-C does, and wait until it is gone."""
    await sandbox.stop(running)


def _urls(server: str) -> Urls:
    return Urls(
        **{
            name: with_database(server, database_name(name))
            for name in ("ledger", "transactions", "notifications")
        }
    )
