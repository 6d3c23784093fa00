"""A loop and a database for property tests, which run many scenarios in one test."""

import asyncio
from collections.abc import Iterator

import pytest

from baluarte import databases
from tests.servers import PostgresServer, database_names


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def plain_database(runner: asyncio.Runner, postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database, for tests that are not async themselves."""
    name = database_names("plain")

    async def execute(statement: str) -> None:
        async with databases.connection(postgres_server.url, ssl=False) as connection:
            await connection.execute(statement)

    runner.run(execute(f"CREATE DATABASE {name}"))
    yield postgres_server.database_url(name)
    runner.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))
