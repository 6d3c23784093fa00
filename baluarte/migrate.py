"""Creates the platform's databases and brings each to its newest schema (`baluarte migrate`).

Services never import Alembic; this one process migrates for all of them, from the revision files
beside each service (`services/<name>/migrations/versions/*.py`) and the bus. A database that is at
its head is recognised by one query, without loading Alembic. Each database is upgraded in one
transaction, under an advisory lock: wholly or not at all, and by one process at a time.
"""

import ast
import asyncio
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

from asyncpg.exceptions import (
    DuplicateDatabaseError,
    InsufficientPrivilegeError,
    InvalidCatalogNameError,
    PostgresError,
    UniqueViolationError,
)

from baluarte import databases
from baluarte.errors import BaluarteError, invalid
from chassis.secret_files import secret_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

HOUSES = Path(__file__).resolve().parent.parent
LOCATIONS: Mapping[str, Path] = {
    "users": HOUSES / "services" / "users" / "migrations",
    "ledger": HOUSES / "services" / "ledger" / "migrations",
    "transactions": HOUSES / "services" / "transactions" / "migrations",
    "notifications": HOUSES / "services" / "notifications" / "migrations",
    "bus": HOUSES / "chassis" / "bus" / "migrations",
}

_PREFIX = "baluarte_"  # of database names on a server that may hold others' databases too
_LOCK = 0x62616C75  # "balu": one migrator per database
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `migrate` found and did; the revisions are equal when there was nothing to do."""

    before: str | None
    after: str | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def database_name(service: str) -> str:
    """The name of a service's database on a server that we create databases on."""
    return _PREFIX + service


def with_database(url: str, name: str) -> str:
    """`url` with another database, its query (sslmode and the like) kept."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def head_revision(location: Path) -> str | None:
    """The newest revision in `location`, read from the files without running or importing them.

    None when there are no revisions. Raises when two revisions could both be the newest.
    """
    known: set[str] = set()
    replaced: set[str] = set()
    for path in sorted((location / "versions").glob("*.py")):
        values = _assigned(path)
        if isinstance(revision := values.get("revision"), str):
            known.add(revision)
        down = values.get("down_revision")
        replaced.update([down] if isinstance(down, str) else down or ())
    heads = sorted(known - replaced)
    if len(heads) > 1:
        raise BaluarteError.of(
            "MIGRATIONS_FORKED",
            f"{location} has more than one newest revision: {', '.join(heads)}",
            "give one of them the other as its down_revision",
        )
    return heads[0] if heads else None


def _assigned(path: Path) -> dict[str, Any]:
    """The module-level names of `path` that are given a constant."""
    found: dict[str, Any] = {}
    for node in ast.parse(path.read_text(), str(path)).body:
        if isinstance(node, ast.Assign):
            targets: Sequence[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"revision", "down_revision"}:
                found[target.id] = ast.literal_eval(node.value) if node.value else None
    return found


async def migrate(url: str, location: Path | str) -> Migrated:
    """Bring the database at `url` to the newest revision of `location` (a folder, or its name).

    Raises:
        BaluarteError: DATABASE_UNREACHABLE, DATABASE_NEWER or MIGRATION_FAILED.
    """
    folder = LOCATIONS[location] if isinstance(location, str) else location
    head = head_revision(folder)
    if head is None:
        return Migrated(None, None)
    before = await _current_revision(url)
    if before != head:
        await _upgrade(url, folder, before)
    return Migrated(before, head)


async def _current_revision(url: str) -> str | None:
    try:
        async with databases.connection(url, timeout=_CONNECT_SECONDS) as connection:
            if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
                return None
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    except databases.CONNECTION_ERRORS as error:
        raise unreachable(url, error) from error
    return None if revision is None else str(revision)


async def _upgrade(url: str, folder: Path, before: str | None) -> None:
    # Only now: most starts find nothing to do, and these imports take half a second or more, which
    # is why they happen beside the loop.
    await asyncio.to_thread(_load_alembic)
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: databases.open_connection(url, timeout=_CONNECT_SECONDS),
        poolclass=NullPool,
    )
    try:
        async with _alembic_lock(), engine.connect() as connection:
            await connection.run_sync(_run, script)
    except CommandError as error:
        raise BaluarteError.of(
            "DATABASE_NEWER",
            f"{without_password(url)} is at revision {before}, which this version does not know",
            "run the newer version that made it, or give this one another database",
        ) from error
    except (SQLAlchemyError, *databases.CONNECTION_ERRORS) as error:
        raise BaluarteError.of(
            "MIGRATION_FAILED",
            f"{without_password(url)} stays at revision {before}: {_first_line(error)}",
            "nothing was changed; correct the cause and migrate again",
        ) from error
    finally:
        await engine.dispose()


def _load_alembic() -> None:
    for module in ("alembic.op", "alembic.runtime.environment", "sqlalchemy.ext.asyncio"):
        importlib.import_module(module)


_alembic_locks: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = WeakKeyDictionary()


def _alembic_lock() -> asyncio.Lock:
    """One upgrade at a time in a process: `alembic.op` is a global that names the current one."""
    return _alembic_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _run(connection: "Connection", script: Any) -> None:
    """What Alembic's env.py would do, in one transaction and under the lock."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy import text

    def revisions(current: Any, _: Any) -> Any:
        return script._upgrade_revs("head", current)  # noqa: SLF001 - as alembic.command.upgrade

    context = EnvironmentContext(Config(), script, fn=revisions, destination_rev="head")
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        context.run_migrations()
    connection.commit()


async def create_missing(server_url: str, names: Sequence[str]) -> list[str]:
    """Create the databases of `names` that the server lacks; returns those created."""
    created = []
    try:
        async with databases.connection(server_url, timeout=_CONNECT_SECONDS) as connection:
            present = await connection.fetch("SELECT datname FROM pg_database")
            for name in names:
                if name in {row["datname"] for row in present}:
                    continue
                try:
                    await connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8'")
                    created.append(name)
                except (DuplicateDatabaseError, UniqueViolationError):
                    continue  # another start was faster
    except InsufficientPrivilegeError as error:
        raise BaluarteError.of(
            "DATABASE_CREATE_DENIED",
            f"the role of {without_password(server_url)} may not create databases",
            f"grant it CREATEDB, or create {', '.join(names)} and set "
            "BALUARTE_<SERVICE>_DATABASE_URL for each",
        ) from error
    except databases.CONNECTION_ERRORS as error:
        raise unreachable(server_url, error) from error
    return created


def unreachable(url: str, error: BaseException) -> BaluarteError:
    if isinstance(error, InvalidCatalogNameError):
        name = unquote(urlsplit(url).path.strip("/"))
        return BaluarteError.of(
            "DATABASE_MISSING",
            f"there is no database {name} on {urlsplit(url).hostname}",
            f"create it (CREATE DATABASE {name}), or correct its BALUARTE_…_DATABASE_URL",
        )
    return BaluarteError.of(
        "DATABASE_UNREACHABLE",
        f"cannot connect to {without_password(url)}: {_first_line(error)}",
        "check that the server runs and that the URL's host, port, user and password are right",
    )


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    detail = lines[0] if lines and isinstance(cause, PostgresError | OSError) else ""
    return f"{type(cause).__name__}: {detail}" if detail else type(cause).__name__


def database_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """The URL of every database that `environment` names, by service.

    `BALUARTE_<SERVICE>_DATABASE_URL` wins; `BALUARTE_DATABASE_URL` gives the server for the rest.
    """
    urls = own_urls(environment)
    if server := url_in(environment, "BALUARTE_DATABASE_URL"):
        for service in LOCATIONS:
            urls.setdefault(service, with_database(server, database_name(service)))
    return urls


def own_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """The databases that have a URL of their own in `environment`, by service."""
    own = {name: f"BALUARTE_{name.upper()}_DATABASE_URL" for name in LOCATIONS}
    return {name: url for name, key in own.items() if (url := url_in(environment, key))}


def url_in(environment: Mapping[str, str], key: str) -> str:
    """The URL under `key` or in the file that `<key>_FILE` names; empty when neither is set."""
    try:
        return secret_text(environment, key)
    except ValueError as error:
        raise BaluarteError(invalid(str(error))) from None


def wanted(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The databases that are needed: the bus has none when it runs on RabbitMQ."""
    with_broker = bool(url_in(environment, "BALUARTE_AMQP_URL"))
    return tuple(name for name in LOCATIONS if name != "bus" or not with_broker)


async def migrate_all(
    environment: Mapping[str, str], services: Sequence[str] = tuple(LOCATIONS)
) -> dict[str, Migrated]:
    """Create and migrate the databases of `services`, all at once.

    Raises `BaluarteError` with the problems of all databases, after the others are done.
    """
    urls = database_urls(environment)
    missing = [service for service in services if service not in urls]
    if missing:
        keys = ", ".join(f"BALUARTE_{service.upper()}_DATABASE_URL" for service in missing)
        raise BaluarteError.of(
            "DATABASE_URL_MISSING",
            f"no database is given for {', '.join(missing)}",
            f"set BALUARTE_DATABASE_URL to a server whose role may create databases, or {keys}",
        )
    server = url_in(environment, "BALUARTE_DATABASE_URL")
    ours = [s for s in services if server and urls[s] == with_database(server, database_name(s))]
    if ours:
        await create_missing(server, [database_name(service) for service in ours])
    outcomes = await asyncio.gather(
        *(migrate(urls[service], service) for service in services), return_exceptions=True
    )
    problems = [p for o in outcomes if isinstance(o, BaluarteError) for p in o.problems]
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, BaluarteError):
            raise outcome
    if problems:
        raise BaluarteError(*problems)
    done = zip(services, outcomes, strict=True)
    return {service: outcome for service, outcome in done if isinstance(outcome, Migrated)}


def describe(service: str, done: Migrated) -> str:
    """One line for the operator."""
    if done.after is None:
        return f"{service}: no migrations"
    if not done.changed:
        return f"{service}: at {done.after}"
    return f"{service}: {done.before or 'empty'} → {done.after}"
