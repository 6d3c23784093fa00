"""The auditor reads the embedded databases, and does nothing else."""

import asyncpg
import pytest

from baluarte import auditor
from baluarte.databases import connection
from tests import servers
from tests.conftest import CreateDatabase


async def test_the_auditor_reads_and_cannot_write(
    postgres_server: servers.PostgresServer, create_database: CreateDatabase
) -> None:
    """Admitted again, it has the new password alone; a write is refused by the server."""
    url = await create_database()
    async with connection(url) as owner:
        await owner.execute("CREATE TABLE entries (amount bigint); INSERT INTO entries VALUES (7)")
    for password in ("first-password", "second_password"):
        await auditor.admit(postgres_server.url, password)
    audited = auditor.urls(postgres_server.url, "second_password")["ledger"]
    assert audited.endswith("/baluarte_ledger")
    mine = url.rpartition("/")[2]
    async with connection(f"{audited.rpartition('/')[0]}/{mine}") as reading:
        assert await reading.fetchval("SELECT sum(amount) FROM entries") == 7
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reading.execute("DELETE FROM entries")


async def test_a_password_cannot_say_more_than_a_password() -> None:
    """What could end its literal never reaches the server."""
    with pytest.raises(ValueError, match="letters"):
        await auditor.admit("postgresql://nobody@127.0.0.1:1/postgres", "a'; DROP ROLE x; --")
