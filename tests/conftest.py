"""Fixtures that every test may use: real servers, fresh databases, and a harsh event loop."""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings

from baluarte import databases, migrate
from baluarte.embedded.places import Places
from baluarte.embedded.ports import free_port
from baluarte.embedded.postgres import EmbeddedPostgres
from tests import servers, sharing

# A callback that holds the loop this long would freeze every request of a service. Generous,
# because a busy machine may stop any process for a while and a first import takes its time.
BLOCKED_SECONDS = float(os.environ.get("BALUARTE_TEST_BLOCKED_SECONDS", "2.0"))


# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class CreateDatabase(Protocol):
    """`await create_database("users")` → the URL of a new database, dropped after the test."""

    async def __call__(self, prefix: str = "test", *, template: str | None = None) -> str: ...


class MigratedDatabase(Protocol):
    """`await migrated_database("users")` → the URL of a new database with the newest schema."""

    async def __call__(self, service: str) -> str: ...


class StartPostgres(Protocol):
    """`start_postgres()` → a durable PostgreSQL of the test's own, to be killed at will."""

    def __call__(self, **settings: str) -> servers.PostgresServer: ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "may_block: the test may hold the event loop for long")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        sharing.arrange(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who of several processes takes which tests."""
    return sharing.ByGroup(config, log)


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[Path]:
    """A state directory with initialised, never started PostgreSQL data, to be copied."""
    with servers.reachable_directory("template") as directory:
        state = directory / "state"
        places = Places(state)
        EmbeddedPostgres(places, free_port()).prepare()
        yield state


@pytest.fixture(scope="session")
def postgres_server(postgres_template: Path) -> Iterator[servers.PostgresServer]:
    """One PostgreSQL for the whole run; not durable, so never kill this one."""
    with (
        servers.reachable_directory("postgres") as directory,
        servers.running_postgres(
            directory / "state", postgres_template, servers.NOT_DURABLE
        ) as server,
    ):
        yield server


@pytest.fixture
def start_postgres(postgres_template: Path) -> Iterator[StartPostgres]:
    """A factory of durable servers for tests that kill, stop or pause them."""
    with ExitStack() as stack:

        def start(**settings: str) -> servers.PostgresServer:
            directory = stack.enter_context(servers.reachable_directory("own-postgres"))
            return stack.enter_context(
                servers.running_postgres(directory / "state", postgres_template, settings)
            )

        yield start


@pytest.fixture
async def create_database(
    postgres_server: servers.PostgresServer,
) -> AsyncIterator[CreateDatabase]:
    """A factory of empty databases (or copies of `template`), dropped after the test."""
    made: list[str] = []

    async def create(prefix: str = "test", *, template: str | None = None) -> str:
        name = servers.database_names(prefix)
        source = f"TEMPLATE {template}" if template else ""
        async with databases.connection(postgres_server.url, ssl=False) as connection:
            await connection.execute(f"CREATE DATABASE {name} {source}")
        made.append(name)
        return postgres_server.database_url(name)

    yield create
    async with databases.connection(postgres_server.url, ssl=False) as connection:
        for name in made:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_templates() -> dict[tuple[str, str | None], str]:
    """Names of the databases that `migrated_database` copies, by service and revision."""
    return {}


@pytest.fixture
async def migrated_database(
    postgres_server: servers.PostgresServer,
    create_database: CreateDatabase,
    migrated_templates: dict[tuple[str, str | None], str],
) -> MigratedDatabase:
    """A factory of freshly migrated databases: the migrations run once a session and service."""

    async def make(service: str) -> str:
        location = migrate.LOCATIONS[service]
        wanted = (service, migrate.head_revision(location))
        if wanted not in migrated_templates:
            name = servers.database_names(f"template_{service}")
            await migrate.create_missing(postgres_server.url, [name])
            await migrate.migrate(postgres_server.database_url(name), location)
            migrated_templates[wanted] = name
        return await create_database(service, template=migrated_templates[wanted])

    return make


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of one Valkey for the whole run. Tests use keys of their own."""
    with (
        servers.reachable_directory("valkey") as directory,
        servers.running_valkey(directory) as server,
    ):
        yield server.url


@pytest.fixture(scope="session")
def amqp_url() -> Iterator[str]:
    """The URL of one RabbitMQ for the whole run. Tests use exchanges and queues of their own."""
    with (
        servers.reachable_directory("rabbitmq") as directory,
        servers.running_broker(directory) as broker,
    ):
        yield broker.url


def starved() -> float:
    """Seconds that this thread was ready to run and others had the processors; 0 where unknown."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


class _BlockedCallbacks(logging.Handler):
    """Collects asyncio's own reports of callbacks that held the loop.

    Time in which others had the processors is not a callback's fault: what the thread has been starved
    of since the last report is taken off.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reports: list[str] = []
        self._starved = starved()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        took = re.search(r"took ([\d.]+) seconds$", message)
        if took is None:
            return
        before, self._starved = self._starved, starved()
        if float(took.group(1)) - (self._starved - before) >= BLOCKED_SECONDS:
            self.reports.append(message)


@contextlib.contextmanager
def watching(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def no_blocked_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail an async test in which a callback held the event loop."""
    test: Callable[..., object] | None = getattr(request, "function", None)
    starts_servers = "start_postgres" in request.fixturenames  # which is done while it waits
    allowed = starts_servers or request.node.get_closest_marker("may_block")
    if allowed or not asyncio.iscoroutinefunction(test):
        yield
        return
    handler = _BlockedCallbacks()
    with watching(handler):
        yield
    if handler.reports:
        pytest.fail("the event loop was blocked:\n" + "\n".join(handler.reports), pytrace=False)
