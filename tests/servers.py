"""Real servers for tests, each a child of the test run that ends with it.

PostgreSQL and Valkey come from the same wheels and code as the product's embedded servers; RabbitMQ
is the one that the system has installed, run beside any other with its own name, ports and folders.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import aio_pika
import pytest

from baluarte.embedded import processes
from baluarte.embedded.command import Command, plain_environment
from baluarte.embedded.places import Places
from baluarte.embedded.ports import free_port
from baluarte.embedded.postgres import EmbeddedPostgres
from baluarte.embedded.valkey import EmbeddedValkey

HOUSES = Path(__file__).resolve().parent.parent

# Generous: the machine may be running several test suites at once.
START_SECONDS = 30.0
BROKER_START_SECONDS = 120.0
STOP_SECONDS = 10.0

# Durability costs time and most tests never crash the server.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def unavailable(reason: str) -> NoReturn:
    """Skip for want of a server; in CI its absence is a failure, not a skip."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: every real server must be there)")
    pytest.skip(reason)


@contextlib.contextmanager
def reachable_directory(name: str) -> Iterator[Path]:
    """A temporary folder that other users may pass through (pytest's own are closed to them)."""
    path = Path(tempfile.mkdtemp(prefix=f"baluarte-test-{name}-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


Check = Callable[[], Coroutine[Any, Any, bool]]


def answer(check: Check) -> bool:
    """Run `check` in a loop of its own, on a thread of its own: the caller may have a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, check()).result()


@dataclass(slots=True)
class Server:
    """A running child with a log file; ended with its whole process group."""

    command: Command
    log: Path
    process: subprocess.Popen[bytes] | None = None
    _ended: bool = False

    def start(self) -> None:
        self._ended = False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command.argv,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self.command.popen_arguments(),
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def wait_ready(self, check: Check, timeout: float) -> None:
        """Block until `check` answers True; fails with the end of the log."""
        deadline = time.monotonic() + timeout
        while not answer(check):
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                why = "ended" if ended else f"not ready in {timeout} s"
                self.kill()
                raise AssertionError(f"{self.command.argv[0]} {why}:\n{tail}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask it to end, and insist after a while; returns the exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.command.stop_signal)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        self.kill()
        return code

    def kill(self) -> None:
        """SIGKILL for the process and its group, once: afterwards its number may be another's."""
        if self.process is None or self._ended:
            return
        self._ended = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


@dataclass(slots=True)
class PostgresServer:
    """A PostgreSQL of our own; `url` is its maintenance database, as a role that may do all."""

    embedded: EmbeddedPostgres
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.embedded.prepare()
        self.server = Server(self.embedded.command(), self.embedded.places.state / "postgres.log")

    @property
    def url(self) -> str:
        return self.embedded.url

    @property
    def pid(self) -> int:
        return self.server.pid

    def database_url(self, name: str) -> str:
        """The URL of database `name` on this server."""
        return f"{self.url.rpartition('/')[0]}/{name}"

    def start(self) -> None:
        self.embedded.prepare()
        self.server.start()
        self.server.wait_ready(self.embedded.is_ready, START_SECONDS)

    def kill_postmaster(self) -> None:
        """SIGKILL for the postmaster alone, as an out-of-memory killer would."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.server.process is not None
        self.server.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        return self.server.stop()

    def kill(self) -> None:
        self.server.kill()
        processes.send(processes.working_in(self.embedded.data, "postgres"), signal.SIGKILL)


def copy_of_template(template: Path, state: Path) -> None:
    """A state directory with initialised data in it: a copy is ten times faster than initdb."""
    shutil.copytree(template, state, copy_function=shutil.copy2)
    for folder, names, files in os.walk(template):
        for name in ["", *names, *files]:
            source = Path(folder) / name
            owner = source.stat()
            os.chown(state / source.relative_to(template), owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def running_server(embedded: EmbeddedPostgres) -> Iterator[PostgresServer]:
    """`embedded`, started, and ended with all that belongs to it."""
    server = PostgresServer(embedded)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def running_postgres(
    state: Path, template: Path, settings: dict[str, str] | None = None
) -> Iterator[PostgresServer]:
    """A PostgreSQL in `state`, from a copy of `template`; durable unless `settings` say no."""
    copy_of_template(template, state)
    embedded = EmbeddedPostgres(Places(state), free_port(), settings or {})
    with running_server(embedded) as server:
        yield server


@contextlib.contextmanager
def running_valkey(state: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey in `state`."""
    embedded = EmbeddedValkey(Places(state), free_port())
    embedded.prepare()
    server = Server(embedded.command(), state / "valkey.log")
    try:
        server.start()
        server.wait_ready(embedded.is_ready, START_SECONDS)
        yield embedded
    finally:
        server.kill()


RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass(slots=True)
class Broker:
    """A RabbitMQ node and the epmd that it registers with."""

    directory: Path
    port: int = field(default_factory=free_port)
    epmd: Server = field(init=False)
    node: Server = field(init=False)

    def __post_init__(self) -> None:
        for name in ("home", "mnesia", "log"):
            (self.directory / name).mkdir(exist_ok=True)
        (self.directory / "enabled_plugins").write_text("[].\n")  # no management, no prometheus
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
        )
        (self.directory / "rabbitmq-env.conf").write_text("")  # not the system's one
        environment = self._environment()
        epmd_port = environment["ERL_EPMD_PORT"]
        epmd = Command(
            ("epmd", "-port", epmd_port, "-address", "127.0.0.1"), environment, self.directory
        )
        node = Command((str(RABBITMQ),), environment, self.directory)
        self.epmd = Server(epmd, self.directory / "epmd.txt")
        self.node = Server(node, self.directory / "rabbitmq.txt")

    def _environment(self) -> dict[str, str]:
        here = str(self.directory)
        return plain_environment(
            PATH="/usr/sbin:/usr/bin:/sbin:/bin",
            HOME=f"{here}/home",
            ERL_EPMD_PORT=str(free_port()),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_NODENAME=f"baluarte-{secrets.token_hex(4)}@localhost",
            RABBITMQ_NODE_PORT=str(self.port),
            RABBITMQ_DIST_PORT=str(free_port()),
            RABBITMQ_CONF_ENV_FILE=f"{here}/rabbitmq-env.conf",
            RABBITMQ_CONFIG_FILE=f"{here}/rabbitmq.conf",
            RABBITMQ_ENABLED_PLUGINS_FILE=f"{here}/enabled_plugins",
            RABBITMQ_MNESIA_BASE=f"{here}/mnesia",
            RABBITMQ_LOG_BASE=f"{here}/log",
            RABBITMQ_SCHEDULER_BIND_TYPE="u",
            # Schedulers that spin while idle would take the CPU of everybody else.
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none",
        )

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    async def is_ready(self) -> bool:
        with socket.socket() as probe:  # cheap, and quiet in the broker's log
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            connection = await aio_pika.connect(self.url, timeout=2)
        except (OSError, TimeoutError, aio_pika.exceptions.AMQPError):
            return False
        await connection.close()
        return True

    def remembers(self, *queues: str) -> bool:
        """Whether these quorum queues of the default vhost outlive a SIGKILL of the node.

        The node writes about a second late on which log a queue has. Killed before, RabbitMQ 3.10
        starts the queue with an empty log, and then no leader is ever elected: what it had confirmed
        is lost, and nothing more is confirmed (rabbitmq/rabbitmq-server#10070).
        """
        written = b"".join(
            file.read_bytes() for file in self.directory.glob("mnesia/*/quorum/*/names.dets")
        )
        return all(f"%2F_{queue}".encode() in written for queue in queues)

    def start(self) -> None:
        self.epmd.start()
        self.node.start()
        self.node.wait_ready(self.is_ready, BROKER_START_SECONDS)

    def stop(self) -> None:
        """The data are thrown away, so nothing has to be asked politely."""
        self.node.kill()
        self.epmd.kill()


@contextlib.contextmanager
def running_broker(directory: Path) -> Iterator[Broker]:
    """A RabbitMQ in `directory`; skips (in CI: fails) where none is installed."""
    if not RABBITMQ.exists() or shutil.which("epmd") is None:
        unavailable("rabbitmq-server is not installed (Debian: apt install rabbitmq-server)")
    broker = Broker(directory)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def database_names(prefix: str) -> str:
    """A new name for a database."""
    return f"{prefix.replace('-', '_')}_{secrets.token_hex(4)}"


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def python(program: str, **arguments: Any) -> subprocess.Popen[bytes]:
    """A Python process of this environment that runs `program`, with our modules at hand."""
    environment = {**os.environ, "PYTHONPATH": str(HOUSES)}
    return subprocess.Popen([sys.executable, "-c", program], env=environment, **arguments)
