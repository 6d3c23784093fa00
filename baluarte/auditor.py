"""The role with which the proof of money reads the embedded databases: it can read, and no more.

docs/proof-of-money.md says how to make one on a server of your own.
"""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from baluarte import databases
from baluarte.migrate import database_name, with_database

ROLE: Final = "baluarte_auditor"
AUDITED: Final = ("ledger", "transactions", "notifications")
"""Databases that the proof of money reads."""


def urls(server: str, password: str) -> dict[str, str]:
    """The audited databases on `server`, each by its service, as the auditor."""
    parts = urlsplit(server)
    address = parts.netloc.rpartition("@")[2]
    audited = urlunsplit(parts._replace(netloc=f"{ROLE}:{password}@{address}"))
    return {name: with_database(audited, database_name(name)) for name in AUDITED}


async def admit(server: str, password: str) -> None:
    """Let the auditor in with this password alone; the role is made if there is none.

    Args:
        server: URL of a role that may make others.
        password: letters, digits, `-` and `_`, as `secrets.token_urlsafe` gives them.
    """
    if not re.fullmatch(r"[\w-]+", password, re.ASCII):
        raise ValueError("the password must be of letters, digits, - and _")
    async with databases.connection(server, ssl=False) as connection:
        known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE)
        if not known:
            await connection.execute(f"CREATE ROLE {ROLE} LOGIN IN ROLE pg_read_all_data")
        # ALTER ROLE takes no parameters; what could end the literal was refused above.
        await connection.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
