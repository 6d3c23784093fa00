"""Each service gets a role that owns its database, and nothing else."""

import base64
import hmac
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from asyncpg.exceptions import InsufficientPrivilegeError, InvalidPasswordError

from baluarte import databases, migrate, provision
from baluarte.errors import BaluarteError
from tests.conftest import StartPostgres
from tests.servers import PostgresServer

ROLES = ("tenant_users", "tenant_ledger")


def environment(server: PostgresServer, password: str = "first-password") -> dict[str, str]:
    host = server.url.rpartition("@")[2].partition("/")[0]
    return {
        "BALUARTE_DATABASE_URL": server.url,
        "BALUARTE_USERS_DATABASE_URL": f"postgresql://tenant_users:{password}@{host}/tenant_users",
        "BALUARTE_LEDGER_DATABASE_URL": f"postgresql://tenant_ledger:{password}@{host}/tenant_ledger",
    }


@pytest.fixture
async def server(postgres_server: PostgresServer) -> AsyncIterator[PostgresServer]:
    """Without our roles and databases, before and after."""
    yield postgres_server
    async with databases.connection(postgres_server.url, ssl=False) as connection:
        for name in ROLES:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await connection.execute(f"DROP ROLE IF EXISTS {name}")


async def test_a_service_migrates_and_owns_its_database(server: PostgresServer) -> None:
    """By its own role, which is no superuser, and a second time there is nothing to do."""
    told = environment(server)
    services = [tenant.service for tenant in await provision.provision(told)]
    assert services == ["users", "ledger"]
    done = await migrate.migrate_all(told, services)
    assert all(outcome.changed for outcome in done.values())
    await provision.provision(told)
    again = await migrate.migrate_all(told, services)
    assert not any(outcome.changed for outcome in again.values())
    async with databases.connection(told["BALUARTE_LEDGER_DATABASE_URL"], ssl=False) as own:
        assert await own.fetchval("SELECT current_setting('is_superuser')") == "off"
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'accounts'"
        assert await own.fetchval(owner) == "tenant_ledger"


async def test_no_service_opens_another_s_database(server: PostgresServer) -> None:
    """Not even to look."""
    told = environment(server)
    await provision.provision(told)
    stranger = told["BALUARTE_USERS_DATABASE_URL"].rpartition("/")[0] + "/tenant_ledger"
    with pytest.raises(InsufficientPrivilegeError):
        await databases.open_connection(stranger, ssl=False)


async def test_a_renewed_password_takes_effect(server: PostgresServer) -> None:
    """The new one opens, the old one does not any more."""
    old, new = environment(server), environment(server, "second-password")
    await provision.provision(old)
    await provision.provision(new)
    async with databases.connection(new["BALUARTE_USERS_DATABASE_URL"], ssl=False) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    with pytest.raises(InvalidPasswordError):
        await databases.open_connection(old["BALUARTE_USERS_DATABASE_URL"], ssl=False)


async def test_no_password_reaches_the_server_s_log(start_postgres: StartPostgres) -> None:
    """It is set as a verifier: a server that logs every statement shows no password."""
    server = start_postgres(log_statement="all")
    await provision.provision(environment(server, "sentinel-7261"))
    log = server.server.log.read_text()
    assert "ROLE tenant_ledger" in log
    assert "sentinel-7261" not in log


def test_the_verifier_is_the_standard_s() -> None:
    """With RFC 7677's example (user, pencil) it signs what the server signs there."""
    salt, nonce = "W22ZaJ0SNY7soEsUEjb6gQ==", "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096,c=biws,r={nonce}"
    verifier = provision.scram_verifier("pencil", base64.b64decode(salt))
    server_key = base64.b64decode(verifier.rpartition(":")[2])
    signature = hmac.digest(server_key, exchange.encode(), "sha256")
    assert verifier.startswith(f"SCRAM-SHA-256$4096:{salt}$")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://app:p@elsewhere:5432/app", "another server"),
        ("postgresql://App:p@db:5432/app", "not a plain name"),
        ("postgresql://app:p@db:5432/app%22;drop", "not a plain name"),
        ("postgresql://app@db:5432/app", "no password"),
        ("postgresql://boss:p@db:5432/app", "superuser"),
    ],
)
def test_a_url_that_does_not_fit_is_refused(url: str, told: str) -> None:
    """Before anything is created, by the name of its setting and without its password."""
    with pytest.raises(BaluarteError, match=told) as refused:
        provision.tenants("postgresql://boss:secret@db/postgres", {"ledger": url})
    assert refused.value.codes == ("SETTING_INVALID",)
    assert "BALUARTE_LEDGER_DATABASE_URL" in str(refused.value)


async def test_without_a_server_or_services_there_is_nothing_to_do() -> None:
    """And the settings that are missing are named."""
    for told in ({}, {"BALUARTE_DATABASE_URL": "postgresql://boss:secret@db/postgres"}):
        with pytest.raises(BaluarteError) as refused:
            await provision.provision(told)
        assert refused.value.codes == ("DATABASE_URL_MISSING",)


async def test_who_may_not_create_is_told_so(server: PostgresServer) -> None:
    """A role without the right gets the way out, and nothing is made."""
    async with databases.connection(server.url, ssl=False) as connection:
        await connection.execute("CREATE ROLE narrow LOGIN PASSWORD 'narrow-one'")
    host = urlsplit(server.url).netloc.rpartition("@")[2]
    told = {
        **environment(server),
        "BALUARTE_DATABASE_URL": f"postgresql://narrow:narrow-one@{host}/postgres",
    }
    try:
        with pytest.raises(BaluarteError) as denied:
            await provision.provision(told)
        assert denied.value.codes == ("DATABASE_CREATE_DENIED",)
    finally:
        async with databases.connection(server.url, ssl=False) as connection:
            await connection.execute("DROP ROLE narrow")
