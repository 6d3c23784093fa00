"""A PostgreSQL that answers COMMIT before the commit is on disk (`synchronous_commit = off`).

Conservation stays green under it; only the check that acknowledged outcomes still exist turns red. Every
database is made so, because a synchronous commit in any of them would write the others' log as well.
"""

import asyncpg

from tests.kill.platform import Platform

DATABASES = ("users", "ledger", "transactions", "notifications", "bus")


async def make_unsafe(running: Platform) -> None:
    """Change the servers' settings and make everybody reconnect, so that they take effect."""
    connection = await asyncpg.connect(running.server_url)  # type: ignore[no-untyped-call]
    try:
        for name in DATABASES:
            await connection.execute(
                f"ALTER DATABASE {running.database(name)} SET synchronous_commit = off"
            )
        await connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
    await running.ready()
