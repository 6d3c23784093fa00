"""compose.yaml carried out without containers: commands, settings, mounts, checks and order, as processes.

What a container would give is stood in for: a volume is a folder, a mount the folder's path in place of the
target's, a service's name loopback with a free port. The servers are real ones, started with the file's own
options where their programs are here; who only watches is left out.
"""

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from baluarte import databases
from baluarte.embedded.command import Command, plain_environment
from baluarte.embedded.identity import give
from baluarte.embedded.places import Places
from baluarte.embedded.ports import free_port
from baluarte.embedded.postgres import usable_binaries
from baluarte.embedded.valkey import usable_binary
from tests.deploy.composition import Service, in_order, services
from tests.servers import HOUSES, START_SECONDS, Broker, Server, unavailable

HEALTH_SECONDS = 60.0
WATCHERS = frozenset({"prometheus", "alertmanager", "grafana", "jaeger"})
_URL = re.compile(r"http://(\w+):(\d+)")


class ComposeBroker(Broker):
    """A RabbitMQ with the file's configuration and plugins, on ports of its own."""

    stack: "Stack"

    @property
    def url(self) -> str:
        return (self.stack.secrets("ledger") / "amqp-url").read_text()


@dataclass
class Stack:
    """The services that run, in a folder that other users may pass through."""

    directory: Path
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopping: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def port(self, name: str, port: int) -> int:
        """The free port that stands for `port` of the service `name`."""
        if (name, port) not in self.ports:
            self.ports[name, port] = free_port()
        return self.ports[name, port]

    def volume(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(exist_ok=True, mode=0o755)
        return path

    def secrets(self, reader: str) -> Path:
        return self.volume(f"secrets-{reader}")

    def placed(self, service: Service, text: str) -> str:
        """`text` with the container's paths and addresses replaced by ours."""
        for mount in sorted(service.mounts, key=lambda m: -len(m.target)):
            ours = HOUSES / mount.source[2:] if mount.is_file else self.volume(mount.source)
            text = re.sub(rf"(?<![\w/]){re.escape(mount.target)}(?![\w-])", str(ours), text)
        return _URL.sub(lambda m: f"http://127.0.0.1:{self.port(m[1], int(m[2]))}", text)

    def environment(self, service: Service) -> dict[str, str]:
        """Exactly what the file says, at our addresses, and where Python and our code are."""
        told = {key: self.placed(service, text) for key, text in service.environment.items()}
        if "BALUARTE_HOST" in told:
            told["BALUARTE_HOST"] = "127.0.0.1"
        if port := told.get("BALUARTE_PORT"):
            told["BALUARTE_PORT"] = str(self.port(service.name, int(port)))
        return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(HOUSES), **told}

    def argv(self, service: Service, words: list[str]) -> list[str]:
        """The command in our Python; `secrets` writes the addresses that stand for the servers'."""
        program, *rest = words
        python = [sys.executable, "-P"]
        start = python if program == "python" else [*python, "-m", program]
        argv = [*start, *rest]
        if service.name == "secrets":
            # /secrets/<reader> is a mount each; here they are folders of one, named after the volumes.
            self._link_readers(service)
            argv[argv.index("/secrets")] = str(self.directory / "secrets")
            for server, port in (("postgres", 5432), ("valkey", 6379), ("rabbitmq", 5672)):
                argv += [f"--{server}", f"127.0.0.1:{self.port(server, port)}"]
        return argv

    def _link_readers(self, service: Service) -> None:
        folder = self.directory / "secrets"
        folder.mkdir(exist_ok=True)
        for mount in service.mounts:
            link = folder / mount.target.rpartition("/")[2]
            if not link.exists():
                link.symlink_to(self.volume(mount.source))

    def run_once(self, name: str, *more: str) -> str:
        """Run a one-shot service to its end; what it said. It has to end well."""
        service = services()[name]
        done = subprocess.run(
            [*self.argv(service, service.command), *more],
            env=self.environment(service),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout

    def is_healthy(self, name: str) -> bool:
        """What the file's own check says, run as it would be in the container."""
        service = services()[name]
        kind, *words = service.health
        assert kind == "CMD"
        argv = self.argv(service, words)
        checked = subprocess.run(argv, env=self.environment(service), timeout=10, check=False)
        return checked.returncode == 0

    def start(self, name: str) -> None:
        """Start a process of ours and wait until its check is content."""
        service = services()[name]
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = self.processes[name] = subprocess.Popen(
                self.argv(service, service.command),
                env=self.environment(service),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.stopping.callback(self.end, name)
        deadline = time.monotonic() + HEALTH_SECONDS
        while not self.is_healthy(name):
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{name} is not healthy:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)

    def end(self, name: str) -> int:
        """SIGTERM, as a container's stop; SIGKILL when the grace is over. The exit code."""
        process = self.processes[name]
        grace = float(services()[name].raw["stop_grace_period"].removesuffix("s"))
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _postgres(stack: Stack) -> Server:
    """initdb and postgres with the file's options, as the image's entry point would."""
    service = services()["postgres"]
    told, port = service.environment, stack.port("postgres", 5432)
    places = Places(stack.directory / "postgres")
    home, binaries = places.home("postgres"), usable_binaries(places)
    data, password = home / "data", home / "password"
    data.mkdir(mode=0o700)
    password.write_text((stack.secrets("postgres") / "password").read_text())
    for path in (data, password):
        give(path, places.identity)
    options = told["POSTGRES_INITDB_ARGS"].split()
    initdb = Command(
        (
            *(str(binaries.initdb), "-D", str(data), f"--username={told['POSTGRES_USER']}"),
            *(f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync", *options),
        ),
        plain_environment(),
        home,
        places.identity,
    )
    subprocess.run(initdb.argv, check=True, stdout=subprocess.DEVNULL, **initdb.popen_arguments())
    _, *arguments = service.command
    for setting in (f"port={port}", "unix_socket_directories=", "fsync=off"):
        arguments += ["-c", setting]
    command = Command(
        (str(binaries.postgres), "-D", str(data), *arguments),
        plain_environment(),
        home,
        places.identity,
        signal.SIGINT,
    )
    server = Server(command, stack.directory / "postgres.log")
    server.start()

    url = (stack.secrets("operator") / "server-url").read_text()

    async def is_ready() -> bool:
        try:
            async with databases.connection(url, ssl=False):
                return True
        except databases.CONNECTION_ERRORS:
            return False

    server.wait_ready(is_ready, START_SECONDS)
    return server


def _valkey(stack: Stack) -> Server:
    """The file's command line, and its check's user and answer."""
    service, port = services()["valkey"], stack.port("valkey", 6379)
    places = Places(stack.directory / "valkey")
    home = places.home("valkey")
    _, *arguments = [stack.placed(service, word) for word in service.command]
    arguments[arguments.index("--dir") + 1] = str(home)
    argv = (
        *(str(usable_binary(places)), *arguments),
        *("--port", str(port), "--bind", "127.0.0.1"),
    )
    command = Command(argv, plain_environment(), home, places.identity)
    server = Server(command, stack.directory / "valkey.log")
    server.start()

    async def is_ready() -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.write(b"AUTH health none\r\nPING\r\n")
        answers = [await reader.readline() for _ in range(2)]
        writer.close()
        return answers == [b"+OK\r\n", b"+PONG\r\n"]

    server.wait_ready(is_ready, START_SECONDS)
    return server


def _rabbitmq(stack: Stack) -> ComposeBroker:
    """The file's configuration and plugins; only the ports are ours."""
    service = services()["rabbitmq"]
    if not Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
        unavailable("rabbitmq-server is not installed (Debian: apt install rabbitmq-server)")
    directory = stack.volume("rabbitmq-data")
    broker = ComposeBroker(directory, stack.port("rabbitmq", 5672))
    broker.stack = stack
    files = {mount.target: HOUSES / mount.source[2:] for mount in service.mounts if mount.is_file}
    text = files["/etc/rabbitmq/conf.d/90-baluarte.conf"].read_text()
    ours = [
        f"listeners.tcp.1 = 127.0.0.1:{broker.port}",
        *(
            f"management.tcp.port = {stack.port('rabbitmq', 15672)}",
            "management.tcp.ip = 127.0.0.1",
        ),
        *(
            f"prometheus.tcp.port = {stack.port('rabbitmq', 15692)}",
            "prometheus.tcp.ip = 127.0.0.1",
        ),
    ]
    configuration = "\n".join([stack.placed(service, text), *ours, ""])
    (directory / "rabbitmq.conf").write_text(configuration)
    plugins = files["/etc/rabbitmq/enabled_plugins"].read_text()
    (directory / "enabled_plugins").write_text(plugins)
    try:
        broker.start()
    except BaseException:
        broker.stop()
        raise
    return broker


_SERVERS: dict[str, Callable[[Stack], Server | ComposeBroker]] = {
    "postgres": _postgres,
    "valkey": _valkey,
    "rabbitmq": _rabbitmq,
}


def _stop(server: Server | ComposeBroker) -> None:
    server.kill() if isinstance(server, Server) else server.stop()


@contextlib.contextmanager
def up(directory: Path) -> Iterator[Stack]:
    """`docker compose up`, as far as it can be played: every service after those that it waits for."""
    stack = Stack(directory)
    with stack.stopping:
        for service in in_order():
            if service.once:
                stack.run_once(service.name)
            elif service.ours:
                stack.start(service.name)
            elif service.name in _SERVERS:
                server = _SERVERS[service.name](stack)
                stack.stopping.callback(_stop, server)
            else:
                assert service.name in WATCHERS
        yield stack
