"""Databases are created and migrated, wholly or not at all."""

import asyncio
from pathlib import Path

import pytest

from baluarte import databases, migrate
from baluarte.errors import BaluarteError
from tests.conftest import CreateDatabase, MigratedDatabase
from tests.servers import PostgresServer

REVISION = """
from alembic import op
revision = {revision!r}
down_revision = {down!r}

def upgrade():
    {body}
"""


def write_revision(location: Path, name: str, down: str | None, *statements: str) -> None:
    versions = location / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    body = "\n    ".join(f"op.execute({statement!r})" for statement in statements)
    text = REVISION.format(revision=name, down=down, body=body or "pass")
    (versions / f"{name}.py").write_text(text)


async def tables(url: str) -> set[str]:
    async with databases.connection(url) as connection:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


@pytest.fixture
def location(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write_revision(folder, "shop_0001", None, "CREATE TABLE goods (id int)")
    write_revision(folder, "shop_0002", "shop_0001", "CREATE TABLE sales (id int)")
    return folder


async def test_an_empty_database_is_brought_to_the_head(
    create_database: CreateDatabase, location: Path
) -> None:
    """All revisions run in order, and the database says which one it is at."""
    url = await create_database()
    done = await migrate.migrate(url, location)
    assert done == migrate.Migrated(None, "shop_0002")
    assert await tables(url) == {"goods", "sales", "alembic_version"}


async def test_a_database_at_its_head_is_left_alone(
    create_database: CreateDatabase, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is loaded and nothing is written when there is nothing to do."""
    url = await create_database()
    await migrate.migrate(url, location)

    async def never(*_: object) -> None:
        raise AssertionError("Alembic was asked")

    monkeypatch.setattr(migrate, "_upgrade", never)
    assert not (await migrate.migrate(url, location)).changed


async def test_a_failing_revision_leaves_everything_as_it_was(
    create_database: CreateDatabase, location: Path
) -> None:
    """Several revisions are one transaction: the good ones before a bad one are undone too."""
    url = await create_database()
    write_revision(location, "shop_0003", "shop_0002", "CREATE TABLE late (id int)", "SELECT 1/0")
    with pytest.raises(BaluarteError) as failed:
        await migrate.migrate(url, location)
    assert failed.value.codes == ("MIGRATION_FAILED",)
    assert await tables(url) == set()


async def test_two_migrators_at_once_do_not_meet(
    create_database: CreateDatabase, location: Path
) -> None:
    """Both end well, and each revision has run once."""
    url = await create_database()
    await asyncio.gather(*(migrate.migrate(url, location) for _ in range(3)))
    assert await tables(url) == {"goods", "sales", "alembic_version"}


async def test_a_database_of_a_newer_version_is_refused(
    create_database: CreateDatabase, location: Path
) -> None:
    """An unknown revision is named, and nothing is changed."""
    url = await create_database()
    await migrate.migrate(url, location)
    (location / "versions" / "shop_0002.py").unlink()
    with pytest.raises(BaluarteError, match="shop_0002") as refused:
        await migrate.migrate(url, location)
    assert refused.value.codes == ("DATABASE_NEWER",)


def test_two_newest_revisions_are_refused(location: Path) -> None:
    """A fork is named before any database is touched."""
    write_revision(location, "shop_0002b", "shop_0001")
    with pytest.raises(BaluarteError, match=r"shop_0002, shop_0002b") as refused:
        migrate.head_revision(location)
    assert refused.value.codes == ("MIGRATIONS_FORKED",)


async def test_no_revisions_is_nothing_to_do(tmp_path: Path) -> None:
    """A service without migrations needs no server."""
    assert await migrate.migrate("postgresql://nowhere:1/x", tmp_path) == migrate.Migrated(
        None, None
    )


async def test_databases_are_created_on_the_server_that_is_given(
    postgres_server: PostgresServer, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One URL of a server is enough; the second run finds everything there."""
    monkeypatch.setattr(migrate, "LOCATIONS", {"shop": location, "store": location})
    monkeypatch.setattr(migrate, "_PREFIX", "baluarte_created_")
    environment = {"BALUARTE_DATABASE_URL": postgres_server.url}
    try:
        first = await migrate.migrate_all(environment, ("shop", "store"))
        assert all(done.changed for done in first.values())
        second = await migrate.migrate_all(environment, ("shop", "store"))
        assert {name: done.changed for name, done in second.items()} == {
            "shop": False,
            "store": False,
        }
    finally:
        async with databases.connection(postgres_server.url) as connection:
            for name in ("shop", "store"):
                await connection.execute(f"DROP DATABASE IF EXISTS baluarte_created_{name}")


async def test_a_database_of_its_own_wins(create_database: CreateDatabase) -> None:
    """BALUARTE_<SERVICE>_DATABASE_URL is taken before the server for all."""
    urls = migrate.database_urls(
        {
            "BALUARTE_DATABASE_URL": "postgresql://a:b@one/postgres?sslmode=require",
            "BALUARTE_LEDGER_DATABASE_URL": "postgresql://a:b@two/money",
        }
    )
    assert urls["ledger"] == "postgresql://a:b@two/money"
    assert urls["users"] == "postgresql://a:b@one/baluarte_users?sslmode=require"


async def test_what_is_wrong_is_told_with_the_way_out(postgres_server: PostgresServer) -> None:
    """No URL, no server, no database: a code each, and never the password."""
    with pytest.raises(BaluarteError) as missing:
        await migrate.migrate_all({})
    assert missing.value.codes == ("DATABASE_URL_MISSING",)
    with pytest.raises(BaluarteError) as away:
        await migrate.create_missing("postgresql://a:secret@127.0.0.1:1/postgres", ["x"])
    assert away.value.codes == ("DATABASE_UNREACHABLE",)
    assert "secret" not in str(away.value)
    with pytest.raises(BaluarteError) as absent:
        await migrate._current_revision(postgres_server.database_url("nowhere"))
    assert absent.value.codes == ("DATABASE_MISSING",)


async def test_a_role_that_may_not_create_is_told_so(
    postgres_server: PostgresServer,
) -> None:
    """The way out names the databases to create by hand."""
    async with databases.connection(postgres_server.url) as connection:
        await connection.execute("CREATE ROLE narrow LOGIN PASSWORD 'narrow-one'")
    url = f"postgresql://narrow:narrow-one@{postgres_server.url.rpartition('@')[2]}"
    try:
        with pytest.raises(BaluarteError, match="baluarte_new") as denied:
            await migrate.create_missing(url, ["baluarte_new"])
        assert denied.value.codes == ("DATABASE_CREATE_DENIED",)
    finally:
        async with databases.connection(postgres_server.url) as connection:
            await connection.execute("DROP ROLE narrow")


async def test_each_test_gets_a_migrated_database_of_its_own(
    migrated_database: MigratedDatabase, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one writes, the next does not see; the schema is there in both."""
    monkeypatch.setattr(migrate, "LOCATIONS", {"shop": location})
    first, second = await migrated_database("shop"), await migrated_database("shop")
    async with databases.connection(first) as connection:
        await connection.execute("INSERT INTO goods VALUES (1)")
    async with databases.connection(second) as connection:
        assert await connection.fetchval("SELECT count(*) FROM goods") == 0
