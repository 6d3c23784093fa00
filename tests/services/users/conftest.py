"""The users service as its tests need it: a migrated database, cheap hashing, one RSA key for all."""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import create_engine
from chassis.metrics import Metrics
from services.users.accounts import Accounts
from services.users.keys import KeyRing
from services.users.passwords import Passwords
from services.users.sealing import Seal
from services.users.sessions import SessionMetrics, Sessions
from tests import servers
from tests.conftest import CreateDatabase
from tests.services import templates
from tests.services.users.running import CHEAP, Users, running_users

SECRET = b"a secret of thirty-two bytes or more"


@cache
def one_key() -> rsa.RSAPrivateKey:
    """The same RSA key every time: making one is slow, and most tests do not care."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def template(postgres_server: servers.PostgresServer) -> Iterator[str]:
    """Name of a migrated users database to copy from."""
    with templates.migrated(postgres_server, "users") as name:
        yield name


@pytest.fixture
async def database_url(create_database: CreateDatabase, template: str) -> str:
    """A migrated users database."""
    return await create_database("users", template=template)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections to the users database."""
    engine = create_engine(database_url, application_name="users-test")
    yield engine
    await engine.dispose()


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    """Password hashing with the smallest parameters."""
    passwords = Passwords(CHEAP)
    yield passwords
    await passwords.close()


@pytest.fixture
async def keys(engine: AsyncEngine) -> KeyRing:
    """A key ring that signs with `one_key`."""
    return KeyRing(engine, Seal(SECRET), source=one_key)


@pytest.fixture
async def sessions(engine: AsyncEngine, passwords: Passwords, keys: KeyRing) -> Sessions:
    """The session operations, with no ledger to tell."""
    return Sessions(engine, passwords, keys, Accounts(None), SessionMetrics(Metrics()))


@pytest.fixture
async def users(database_url: str, tmp_path: Path) -> AsyncIterator[Users]:
    """The users service on a port, with no cache and no ledger."""
    async with running_users(database_url, tmp_path, one_key) as running:
        yield running
