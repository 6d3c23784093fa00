"""The embedded PostgreSQL: as root, behind closed doors, after crashes."""

import asyncio
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from baluarte import databases
from baluarte.embedded import ports, postgres, processes
from baluarte.embedded.identity import Identity, server_identity
from baluarte.embedded.places import Places
from baluarte.embedded.postgres import EmbeddedPostgres
from baluarte.errors import BaluarteError
from tests import servers
from tests.conftest import StartPostgres
from tests.waiting import eventually, eventually_sync

pytestmark = pytest.mark.may_block  # servers are started while the test waits
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root can switch users")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder that the servers' user can enter."""
    with servers.reachable_directory("place") as path:
        yield path


async def fetch(url: str, query: str) -> object:
    async with databases.connection(url) as connection:
        return await connection.fetchval(query)


async def test_it_is_durable_and_local(start_postgres: StartPostgres) -> None:
    """fsync is on, loopback with a scram password is the only door, checksums are on."""
    server = start_postgres()
    for name, value in {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "data_checksums": "on",
        "TimeZone": "UTC",
    }.items():
        assert await fetch(server.url, f"SHOW {name}") == value
    wrong = server.url.replace(server.embedded.password, "guess")
    with pytest.raises(databases.CONNECTION_ERRORS):
        await fetch(wrong, "SELECT 1")
    secret = server.embedded.places.state / "secrets" / "postgres-password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@as_root
async def test_as_root_it_runs_as_another_user(start_postgres: StartPostgres) -> None:
    """No process of the server is root's, and the data belong to its user alone."""
    server = start_postgres()
    identity = server_identity()
    assert identity is not None
    assert Path(f"/proc/{server.pid}").stat().st_uid == identity.uid != 0
    data = server.embedded.data.stat()
    assert (data.st_uid, stat.S_IMODE(data.st_mode)) == (identity.uid, 0o700)


def test_an_ordinary_user_stays_who_they_are() -> None:
    """Without root there is nobody to switch to."""
    assert server_identity(effective_uid=1000) is None


@as_root
async def test_behind_a_closed_directory_data_lie_elsewhere(directory: Path) -> None:
    """A state directory under 0700 works: data go to a shared place, which it remembers."""
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    shared = directory / "shared"
    places = Places(closed / "state", shared=(shared,))
    with servers.running_server(EmbeddedPostgres(places, ports.free_port())) as server:
        assert await fetch(server.url, "SELECT 1") == 1
        home = server.embedded.data.parent
        assert home.is_relative_to(shared)
    again = EmbeddedPostgres(Places(closed / "state", shared=(shared,)), ports.free_port())
    assert again.prepare() == []
    assert again.data.parent == home
    places.forget("postgres")
    assert not home.exists()


@as_root
async def test_behind_a_closed_directory_binaries_are_copied(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout that others cannot enter works: the binaries are copied once, and belong to us."""
    checkout = directory / "checkout"
    checkout.mkdir()
    package = postgres.wheel_binaries().root.parent
    for name in (package.name, f"{package.name}.libs"):
        (checkout / name).symlink_to(package.with_name(name))
    copied = checkout / package.name / "pginstall18"
    # A symlink is followed through its own, closed parent.
    checkout.chmod(0o700)
    monkeypatch.setattr(postgres, "wheel_binaries", lambda: postgres.Binaries(copied))
    places = Places(directory / "state", shared=(directory / "shared",))
    with servers.running_server(EmbeddedPostgres(places, ports.free_port())) as server:
        assert await fetch(server.url, "SELECT 1") == 1
        binary = Path(server.server.command.argv[0])
        assert binary.is_relative_to(directory / "shared")
        assert (binary.stat().st_uid, binary.stat().st_mode & 0o022) == (0, 0)
    assert postgres.usable_binaries(places).postgres == binary


def test_a_shared_place_of_somebody_else_is_not_used(directory: Path) -> None:
    """What others can write to could be exchanged under us, so it is refused with a way out."""
    open_to_all = directory / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(BaluarteError) as refused:
        Places(directory / "state", shared=(open_to_all,)).shared_place()
    assert refused.value.codes == ("NO_SHARED_PLACE",)


def test_forgotten_doors_are_told(directory: Path) -> None:
    """Data that the server's user can no longer reach are an error, never silently replaced."""
    places = Places(directory / "state", identity=Identity(12345, 12345))
    home = places.home("postgres")
    (home / "data").mkdir()
    home.chmod(0o700)
    if os.geteuid() != 0:
        pytest.skip("needs root: only root can switch users")
    with pytest.raises(BaluarteError) as refused:
        places.home("postgres")
    assert refused.value.codes == ("STATE_UNREACHABLE",)


async def test_kill_9_of_the_postmaster_loses_nothing(start_postgres: StartPostgres) -> None:
    """Every insert that was acknowledged before the kill is there after the next start."""
    server = start_postgres()
    acknowledged: list[int] = []

    async def write() -> None:
        async with databases.connection(server.url) as connection:
            await connection.execute("CREATE TABLE kept (n int PRIMARY KEY)")
            number = 0
            while True:
                await connection.execute("INSERT INTO kept VALUES ($1)", number)
                acknowledged.append(number)
                number += 1

    writer = asyncio.create_task(write())
    await eventually(lambda: len(acknowledged) >= 50, timeout=20)
    server.kill_postmaster()
    with pytest.raises(databases.CONNECTION_ERRORS):
        await writer
    server.start()
    kept = await fetch(server.url, "SELECT array_agg(n) FROM kept")
    assert isinstance(kept, list)
    assert set(acknowledged) <= set(kept)


async def test_backends_that_outlive_the_postmaster_are_ended(
    start_postgres: StartPostgres,
) -> None:
    """A stopped backend would hold the data for ever; the next start ends it and says so."""
    server = start_postgres()
    async with databases.connection(server.url) as connection:
        backend = connection.get_server_pid()
        os.kill(backend, signal.SIGSTOP)
        server.kill_postmaster()
        told = server.embedded.prepare()
        connection.terminate()
    assert processes.started_at(backend) is None
    assert any("left behind" in line for line in told)
    server.start()
    assert await fetch(server.url, "SELECT 1") == 1


async def test_a_stale_lock_file_is_no_obstacle(start_postgres: StartPostgres) -> None:
    """postmaster.pid may name a process that is somebody else by now."""
    server = start_postgres()
    lock = server.embedded.data / "postmaster.pid"
    text = lock.read_text().splitlines()
    server.kill()
    text[0] = "1"  # lives, and is no PostgreSQL
    lock.write_text("\n".join(text) + "\n")
    server.start()
    assert await fetch(server.url, "SELECT 1") == 1


def test_a_running_server_of_an_earlier_start_is_ended(start_postgres: StartPostgres) -> None:
    """A postmaster that survived its supervisor is shut down before the next one starts."""
    server = start_postgres()
    told = server.embedded.prepare()
    assert any("left behind" in line for line in told)
    eventually_sync(lambda: processes.started_at(server.pid) is None)


def test_a_taken_port_is_told_with_its_holder(directory: Path) -> None:
    """The message names the port, who has it, and the setting for another one."""
    with servers.listening() as port:
        with pytest.raises(BaluarteError, match="BALUARTE_POSTGRES_PORT") as taken:
            EmbeddedPostgres(Places(directory / "state"), port).prepare()
        assert taken.value.codes == ("PORT_IN_USE",)
        assert str(port) in str(taken.value)
        assert f"pid {os.getpid()}" in str(taken.value)


def test_data_of_another_version_are_refused(start_postgres: StartPostgres) -> None:
    """Another major version's data are left alone, with the ways out."""
    server = start_postgres()
    server.stop()
    (server.embedded.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(BaluarteError, match="PostgreSQL 17") as refused:
        server.embedded.prepare()
    assert refused.value.codes == ("POSTGRES_DATA_VERSION",)


def test_an_interrupted_first_start_is_made_good(directory: Path) -> None:
    """What an initdb that was cut off left behind is replaced by the next start."""
    embedded = EmbeddedPostgres(Places(directory / "state"), ports.free_port())
    draft = embedded.places.home("postgres") / "data.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    assert embedded.prepare() != []
    assert (embedded.data / "global" / "pg_control").exists()
    assert not draft.exists()


@pytest.mark.skipif(not Path("/proc").exists(), reason="parent-death signals are Linux's")
def test_it_ends_with_a_parent_that_was_killed(directory: Path, postgres_template: Path) -> None:
    """SIGKILL for the process that started it ends the server too."""
    state = directory / "state"
    servers.copy_of_template(postgres_template, state)
    port = ports.free_port()
    program = (
        "import subprocess, time; from pathlib import Path\n"
        "from baluarte.embedded.places import Places\n"
        "from baluarte.embedded.postgres import EmbeddedPostgres\n"
        f"server = EmbeddedPostgres(Places(Path({str(state)!r})), {port})\n"
        "server.prepare(); command = server.command()\n"
        "child = subprocess.Popen(command.argv, **command.popen_arguments())\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    parent = servers.python(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    embedded = EmbeddedPostgres(Places(state), port)
    eventually_sync(lambda: servers.answer(embedded.is_ready), timeout=20)
    parent.kill()
    parent.wait(5)
    eventually_sync(lambda: processes.started_at(child) is None, timeout=10)
    parent.stdout.close()
