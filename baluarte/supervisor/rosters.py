"""Writes the roster of a platform under `--chaos`, and makes the role with which its auditor reads."""

import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from baluarte import databases, demo_data
from baluarte.embedded import ports
from baluarte.embedded.places import write_private
from baluarte.migrate import database_name, with_database
from baluarte.supervisor.blueprint import Blueprint
from baluarte.supervisor.occupancy import Address
from baluarte.supervisor.plan import Plan
from chaos.roster import FILE, Owner, OwnerKind, Roster, Staff
from chassis.settings import Environment

AUDITED: Final = ("ledger", "transactions", "notifications")
"""Databases that the proof of money reads."""

AUDITOR: Final = "baluarte_auditor"


def roster_of(plan: Plan, blueprint: Blueprint, address: Address, chaos_token: str) -> Roster:
    """The roster of a platform that is about to start."""
    return Roster(
        gateway=_url(plan, "gateway"),
        supervisor_token=address.token,
        chaos_token=chaos_token,
        owners=(
            Owner(kind=OwnerKind.SUPERVISOR, name="supervisor", url=address.url),
            Owner(kind=OwnerKind.PROXIES, name="proxies", url=_url(plan, "proxies")),
            *(
                Owner(kind=OwnerKind.PROCESS, name=spec.name, url=_url(plan, spec.name))
                for spec in (*blueprint.gateways, *blueprint.services)
            ),
        ),
        edges=blueprint.edges,
        databases=_databases(plan, blueprint),
        staff=_staff() if plan.demo else None,
        bus="postgres" if plan.amqp_url is None else "rabbitmq",
        production=plan.environment is Environment.PRODUCTION,
    )


def write(state: Path, roster: Roster) -> None:
    """Keep it where chaos tools look for it, for the operator's eyes only."""
    write_private(state / FILE, msgspec.json.format(msgspec.json.encode(roster)).decode())


async def admit_auditor(server: str, roster: Roster) -> None:
    """Make the role that the roster's URLs name; it can read, and no more.

    Args:
        server: URL of the embedded server, as a role that may make others.
    """
    password = urlsplit(roster.databases["ledger"]).password or ""
    async with databases.connection(server, ssl=False) as connection:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", AUDITOR):
            await connection.execute(f"CREATE ROLE {AUDITOR} LOGIN IN ROLE pg_read_all_data")
        # Of our own making, and without a quote: hexadecimal digits.
        await connection.execute(f"ALTER ROLE {AUDITOR} PASSWORD '{password}'")


def _databases(plan: Plan, blueprint: Blueprint) -> dict[str, str]:
    """URLs for the auditor; none where the server or a database is not ours to make roles on."""
    if not plan.embeds_postgres or any(name in plan.databases for name in AUDITED):
        return {}
    parts = urlsplit(blueprint.databases["BALUARTE_DATABASE_URL"])
    netloc = f"{AUDITOR}:{secrets.token_hex(16)}@{ports.LOOPBACK}:{plan.ports['postgres']}"
    server = urlunsplit(parts._replace(netloc=netloc))
    return {name: with_database(server, database_name(name)) for name in AUDITED}


def _staff() -> Staff:
    email = next(user.email for user in demo_data.USERS if user.key == "admin")
    return Staff(email=email, password=demo_data.PASSWORD)


def _url(plan: Plan, part: str) -> str:
    return f"http://{ports.LOOPBACK}:{plan.ports[part]}"
