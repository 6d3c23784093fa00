"""All that the platform has written down, so that a test can prove that something wrote nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from baluarte.migrate import LOCATIONS, with_database
from services.ledger.contract import account_id_of
from tests.kill.platform import Platform
from tests.waiting import eventually

REST_SECONDS = 30.0
"""Longest wait for events under way to arrive, on a busy machine."""

# Consumers of the bus sign in there every few seconds, whatever is asked of the platform.
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'bus_consumer'
    ORDER BY relname
"""
_INBOX = "(SELECT count(*) FROM inbox WHERE state <> 'done')"
_OUTBOX = "(SELECT count(*) FROM outbox)"
_OPEN = {
    "users": f"SELECT {_OUTBOX} + (SELECT count(*) FROM cache_refreshes)",
    "ledger": f"SELECT {_OUTBOX} + {_INBOX}",
    "transactions": f"SELECT {_OUTBOX} + {_INBOX}"
    " + (SELECT count(*) FROM transactions WHERE status = 'PENDING')",
    "notifications": f"SELECT {_OUTBOX} + {_INBOX}"
    " + (SELECT count(*) FROM deliveries WHERE status = 'PENDING')",
    "bus": "SELECT count(*) FROM bus_message",
}
"""What is under way in each database: nothing, when the platform is at rest."""

Photo = Mapping[str, tuple[int, str]]
"""Each table of each database: the number of rows, and a checksum of all that is in them."""


class Books:
    """Reads every database of a platform, by SQL, behind the services' backs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._connections: dict[str, Any] = {}
        self._photographs: dict[str, str] = {}

    async def value(self, service: str, query: str, *arguments: Any) -> Any:
        """The one value that `query` gives."""
        connection = await self._connected(service)
        return await connection.fetchval(query, *arguments)

    async def close(self) -> None:
        """Let go of the connections."""
        for connection in self._connections.values():
            await connection.close()

    async def balance(self, user: str) -> int:
        """Of a user's account, centavos."""
        found = await self.value(
            "ledger", "SELECT balance FROM accounts WHERE id = $1", account_id_of(UUID(user))
        )
        assert found is not None, "the account is open"
        return int(found)

    async def rest(self) -> None:
        """Wait until nothing is under way."""

        async def at_rest() -> bool:
            counts = await asyncio.gather(*(self.value(name, sql) for name, sql in _OPEN.items()))
            return not any(counts)

        # Twice: what one look finds gone from one database may not yet have been seen in the next.
        for _ in range(2):
            await eventually(at_rest, REST_SECONDS, why="nothing is under way")

    async def photo(self) -> Photo:
        """Everything, as it is now."""
        taken = await asyncio.gather(*(self._photo_of(service) for service in LOCATIONS))
        return {name: page for pages in taken for name, page in pages.items()}

    @asynccontextmanager
    async def unchanged(self, *, but: tuple[str, ...] = ()) -> AsyncIterator[None]:
        """Fails when the block, or what it set in motion, wrote to any table other than `but`."""
        await self.rest()
        before = await self.photo()
        yield
        await self.rest()
        after = await self.photo()
        changed = {name for name in before if before[name] != after[name]} - set(but)
        assert not changed, f"written to {sorted(changed)}"

    async def _photo_of(self, service: str) -> dict[str, tuple[int, str]]:
        connection = await self._connected(service)
        if service not in self._photographs:
            tables = [row["relname"] for row in await connection.fetch(_TABLES)]
            self._photographs[service] = " UNION ALL ".join(_photograph(name) for name in tables)
        rows = await connection.fetch(self._photographs[service])
        return {f"{service}.{row['name']}": (row["rows"], row["checksum"]) for row in rows}

    async def _connected(self, service: str) -> Any:
        """The one connection to a service's database; a new one when a test has killed the server."""
        connection = self._connections.get(service)
        if connection is None or connection.is_closed():
            url = with_database(self._platform.server_url, self._platform.database(service))
            connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call]
            self._connections[service] = connection
        return connection


def _photograph(table: str) -> str:
    return (
        f"SELECT '{table}' AS name, count(*) AS rows, "
        f"coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') AS checksum FROM {table} t"
    )
