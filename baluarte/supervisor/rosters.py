"""The roster of a platform under `--chaos`: written before its first part starts, gone after a clean stop."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from baluarte import auditor, demo_data
from baluarte.embedded.places import write_private
from baluarte.supervisor.blueprint import Blueprint
from baluarte.supervisor.occupancy import Address
from baluarte.supervisor.plan import Plan
from chaos.roster import FILE, Monitoring, Owner, OwnerKind, Roster, Staff
from chassis.settings import Environment

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """Drawn anew at each start.

    Attributes:
        chaos_token: opens the processes' fault points.
        auditor: the password of the role that reads the embedded databases.
    """

    chaos_token: str
    auditor: str

    @classmethod
    def draw(cls) -> "Secrets":
        """New ones."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES), secrets.token_urlsafe(_SECRET_BYTES))


def roster_of(plan: Plan, blueprint: Blueprint, address: Address, drawn: Secrets) -> Roster:
    """What chaos tools must know of the platform that is about to start."""
    processes = (*blueprint.gateways, *blueprint.services)
    return Roster(
        gateway=plan.url("gateway"),
        supervisor_token=address.token,
        chaos_token=drawn.chaos_token,
        owners=(
            Owner(kind=OwnerKind.SUPERVISOR, name="supervisor", url=address.url),
            Owner(kind=OwnerKind.PROXIES, name="proxies", url=plan.url("proxies")),
            *(
                Owner(kind=OwnerKind.PROCESS, name=spec.name, url=plan.url(spec.name))
                for spec in processes
            ),
        ),
        edges=blueprint.edges,
        databases=_audited(plan, blueprint, drawn.auditor),
        staff=_staff() if plan.demo else None,
        bus="postgres" if plan.amqp_url is None else "rabbitmq",
        production=plan.environment is Environment.PRODUCTION,
        monitoring=_monitoring(plan),
    )


def write(state: Path, roster: Roster) -> None:
    """Keep it in the state directory, for its owner's eyes only."""
    write_private(state / FILE, msgspec.json.format(msgspec.json.encode(roster)).decode())


def strike(state: Path) -> None:
    """Take it away: there is nothing any more that it could lead to."""
    (state / FILE).unlink(missing_ok=True)


def _audited(plan: Plan, blueprint: Blueprint, password: str) -> dict[str, str]:
    """Nothing where the server or one of the databases is not ours to make roles on."""
    if not plan.embeds_postgres or any(name in plan.databases for name in auditor.AUDITED):
        return {}
    return auditor.urls(blueprint.databases["BALUARTE_DATABASE_URL"], password)


def _monitoring(plan: Plan) -> Monitoring | None:
    if plan.outlook is None:
        return None
    return Monitoring(
        prometheus=plan.url("prometheus"),
        alertmanager=plan.url("alertmanager"),
        speed=plan.outlook.pace.speed,
    )


def _staff() -> Staff:
    email = next(user.email for user in demo_data.USERS if user.key == "admin")
    return Staff(email=email, password=demo_data.PASSWORD)
