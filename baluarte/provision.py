"""Creates on one server the role and the database that each service's URL names.

Every service gets a role that may log in and owns its own database, and nothing else: whoever holds
its password reads no other service's rows. Running it again sets the passwords anew, so that renewed
secrets take effect, and changes nothing else.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from asyncpg.exceptions import InsufficientPrivilegeError

from baluarte import databases, migrate
from baluarte.errors import BaluarteError, Problem

_CONNECT_SECONDS = 10.0
_ITERATIONS = 4_096  # of SCRAM, as PostgreSQL's own default; the passwords are random, not chosen
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LOCK = 0x62616C75  # as the migrator's: one at a time


@dataclass(frozen=True, slots=True)
class Tenant:
    """A role and the database that it owns, both plain names, as a service's URL gives them."""

    service: str
    role: str
    password: str
    database: str


async def provision(environment: Mapping[str, str]) -> list[Tenant]:
    """Create what is missing on the server of BALUARTE_DATABASE_URL, as its superuser.

    Raises:
        BaluarteError: DATABASE_URL_MISSING, SETTING_INVALID, DATABASE_CREATE_DENIED or
            DATABASE_UNREACHABLE.
    """
    server = migrate.url_in(environment, "BALUARTE_DATABASE_URL")
    wanted = tenants(server, migrate.own_urls(environment))
    try:
        async with databases.connection(server, timeout=_CONNECT_SECONDS) as connection:
            await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
            for tenant in wanted:
                await _provide(connection, tenant)
    except InsufficientPrivilegeError as error:
        raise BaluarteError.of(
            "DATABASE_CREATE_DENIED",
            f"the role of {migrate.without_password(server)} may not create roles and databases",
            "give the URL of a superuser, or create them by hand and run `baluarte migrate` alone",
        ) from error
    except databases.CONNECTION_ERRORS as error:
        raise migrate.unreachable(server, error) from error
    return wanted


def tenants(server: str, urls: Mapping[str, str]) -> list[Tenant]:
    """Who is to be provided for on `server`, by the services' URLs. Raises: BaluarteError."""
    if not server or not urls:
        raise BaluarteError.of(
            "DATABASE_URL_MISSING",
            "there is nothing to provide, or no server to do it on",
            "set BALUARTE_DATABASE_URL to a superuser's URL, and BALUARTE_<SERVICE>_DATABASE_URL "
            "to the role, password and database of each service (or …_FILE)",
        )
    found, problems = [], []
    for service, url in urls.items():
        parts = urlsplit(url)
        role, database = unquote(parts.username or ""), unquote(parts.path.strip("/"))
        if reason := _mistake(urlsplit(server), parts, role, database):
            key = f"BALUARTE_{service.upper()}_DATABASE_URL"
            problems.append(Problem("SETTING_INVALID", f"{key} {reason[0]}", reason[1]))
        found.append(Tenant(service, role, unquote(parts.password or ""), database))
    if problems:
        raise BaluarteError(*problems)
    return found


def _mistake(server: Any, parts: Any, role: str, database: str) -> tuple[str, str] | None:
    if (parts.hostname, parts.port or 5432) != (server.hostname, server.port or 5432):
        return "is on another server than BALUARTE_DATABASE_URL", "name the same host and port"
    if not _NAME.fullmatch(role) or not _NAME.fullmatch(database):
        return (
            "names a role or a database that is not a plain name",
            "use lower-case letters, digits and underscores",
        )
    if not parts.password:
        return "has no password", "give postgresql://role:password@host:port/database"
    if role == unquote(server.username or ""):
        return "names the superuser as the service's role", "give the service a role of its own"
    return None


async def _provide(connection: Any, tenant: Tenant) -> None:
    # Names are plain by now; the password reaches the server, and so its log, as a verifier only.
    known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", tenant.role)
    verb = "ALTER" if known else "CREATE"
    await connection.execute(
        f"{verb} ROLE {tenant.role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
        f"PASSWORD '{scram_verifier(tenant.password, secrets.token_bytes(16))}'"
    )
    database = tenant.database
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        await connection.execute(f"CREATE DATABASE {database} OWNER {tenant.role} ENCODING 'UTF8'")
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")


def scram_verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL stores of a password (RFC 5803, SCRAM-SHA-256), for an ASCII password."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{text[0]}${text[1]}:{text[2]}"
