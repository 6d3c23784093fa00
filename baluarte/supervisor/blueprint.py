"""The platform's parts as values: embedded servers, services, gateway, and how each is asked."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baluarte.embedded import ports
from baluarte.embedded.command import Command
from baluarte.embedded.places import Places
from baluarte.embedded.postgres import EmbeddedPostgres, end_orphans
from baluarte.embedded.valkey import EmbeddedValkey
from baluarte.migrate import HOUSES, database_name, with_database
from baluarte.supervisor import edges, lookout
from baluarte.supervisor.lifecycle import RestartPolicy
from baluarte.supervisor.part import PartSpec
from baluarte.supervisor.plan import PEERS, SERVICES, Plan
from chaos.roster import Edge
from chassis.settings import Environment

_PROBE_SECONDS = 2.5  # readiness asks dependencies, each with a bound of 2 s
MODULES: Mapping[str, str] = {
    "gateway": "graphql_api",
    **{name: f"services.{name}" for name in SERVICES},
}
"""What `python -m` runs for each process."""

# What children inherit from our environment beside settings: enough to find Python and a locale.
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ")
# The embedded servers must survive their own crash recovery within one try.
_SERVER_POLICY = RestartPolicy(start_timeout=60.0)
_SERVICE_POLICY = RestartPolicy(start_timeout=60.0, tries=4)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Groups of parts, in the order in which they are started; stopped in reverse."""

    foundations: tuple[PartSpec, ...]
    services: tuple[PartSpec, ...]
    gateways: tuple[PartSpec, ...]
    databases: Mapping[str, str]
    """Settings for `migrate_all`."""
    edges: tuple[Edge, ...] = ()
    """Connections that lead through a proxy; none without `--chaos`."""
    watch: tuple[PartSpec, ...] = ()
    """Prometheus and Alertmanager, with `--monitoring`; started first, stopped last."""
    left_out: tuple[str, ...] = ()
    """Connections that no proxy can stand in."""

    @property
    def specs(self) -> tuple[PartSpec, ...]:
        return (*self.watch, *self.foundations, *self.services, *self.gateways)


def draw(
    plan: Plan, gate: Path, modules: Mapping[str, str] = MODULES, chaos_token: str = ""
) -> Blueprint:
    """All parts of `plan`. Services and gateway load at once and wait for the file `gate`.

    Args:
        chaos_token: opens the fault points of the processes, under `--chaos`.
    """
    places = Places(plan.state)
    foundations = []
    postgres = EmbeddedPostgres(places, plan.ports["postgres"])
    valkey = EmbeddedValkey(places, plan.ports["valkey"])
    if plan.embeds_postgres:
        foundations.append(_postgres_spec(postgres))
    if plan.embeds_valkey:
        foundations.append(_valkey_spec(valkey))
    databases = _databases(plan, postgres)
    redis_url = valkey.url if plan.embeds_valkey else plan.redis_url
    shared = _shared_settings(plan, chaos_token)
    proxied = edges.Proxied(frozenset(plan.ports.values()))
    through = proxied.through if plan.chaos else edges.direct

    def process(part: str, service: str) -> PartSpec:
        downstream = _downstream(plan, service, databases, redis_url)
        told = {**shared, **_addresses(part, downstream, through)}
        return _process_spec(part, plan.ports[part], modules[service], gate, told)

    services = [process(part, service) for service in SERVICES for part in plan.members(service)]
    gateway = process("gateway", "gateway")
    if plan.chaos:
        foundations.append(_proxies_spec(plan, proxied.config()))
    return Blueprint(
        tuple(foundations),
        tuple(services),
        (gateway,),
        databases,
        proxied.edges,
        watch=_watch_specs(plan),
        left_out=tuple(proxied.left_out),
    )


def _postgres_spec(server: EmbeddedPostgres) -> PartSpec:
    def prepare() -> Command:
        server.prepare()
        return server.command()

    return PartSpec(
        "postgres",
        prepare,
        server.is_ready,
        f"postgresql://{ports.LOOPBACK}:{server.port}",
        _SERVER_POLICY,
        # Backends lead sessions of their own; a killed postmaster may leave some behind.
        sweep=lambda: end_orphans(server.data),
        before_stop=server.checkpoint,
    )


def _valkey_spec(server: EmbeddedValkey) -> PartSpec:
    def prepare() -> Command:
        server.prepare()
        return server.command()

    url = f"redis://{ports.LOOPBACK}:{server.port}"
    return PartSpec("valkey", prepare, server.is_ready, url, _SERVER_POLICY)


def _databases(plan: Plan, postgres: EmbeddedPostgres) -> dict[str, str]:
    """What `migrate_all` is told: the server, and each database that is somewhere else."""
    told = {f"BALUARTE_{name.upper()}_DATABASE_URL": url for name, url in plan.databases.items()}
    if plan.embeds_postgres:
        told["BALUARTE_DATABASE_URL"] = postgres.url
    elif plan.server_url:
        told["BALUARTE_DATABASE_URL"] = plan.server_url
    return told


def _database_of(name: str, told: Mapping[str, str]) -> str:
    own = told.get(f"BALUARTE_{name.upper()}_DATABASE_URL")
    return own or with_database(told["BALUARTE_DATABASE_URL"], database_name(name))


def _downstream(
    plan: Plan, service: str, databases: Mapping[str, str], redis_url: str | None
) -> dict[str, list[tuple[str, str]]]:
    """Settings with what a process calls, as names of parts and their URLs.

    It knows its peers, its own database and the bus: no process knows another's database.
    """
    found = {
        f"BALUARTE_{peer.upper()}_URLS": list(zip(plan.members(peer), plan.urls(peer), strict=True))
        for peer in PEERS[service]
    }
    if service in SERVICES:
        for name, target in ((service, "postgres"), ("bus", "bus")):
            if name in plan.wanted:
                key = f"BALUARTE_{name.upper()}_DATABASE_URL"
                found[key] = [(target, _database_of(name, databases))]
        if plan.amqp_url:
            found["BALUARTE_AMQP_URL"] = [("bus", plan.amqp_url)]
    if redis_url:
        found["BALUARTE_REDIS_URL"] = [("valkey", redis_url)]
    return found


def _addresses(
    part: str, downstream: Mapping[str, list[tuple[str, str]]], through: edges.Through
) -> dict[str, str]:
    return {
        key: ",".join(through(part, target, url) for target, url in urls)
        for key, urls in downstream.items()
    }


def _inherited() -> dict[str, str]:
    told = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    told["PYTHONPATH"] = str(HOUSES)
    told["PYTHONUNBUFFERED"] = "1"
    return told


def _shared_settings(plan: Plan, chaos_token: str) -> dict[str, str]:
    told = _inherited() | dict(plan.passed_on)
    told["BALUARTE_ENVIRONMENT"] = plan.environment.value
    told["BALUARTE_HOST"] = ports.LOOPBACK
    told["BALUARTE_STATE_DIR"] = str(plan.state)
    told["BALUARTE_KEYS_DIR"] = str(plan.state / "keys")
    if plan.chaos:
        told["BALUARTE_CHAOS_TOKEN"] = chaos_token
        told.setdefault("BALUARTE_POLICIES_DIR", str(plan.policies))
        # The users of a load say an address each (docs/load.md), so that the rate limiter can stay on.
        told.setdefault("BALUARTE_TRUSTED_PROXIES", f"{ports.LOOPBACK}/32")
        if plan.environment is Environment.PRODUCTION:
            told["BALUARTE_CHAOS_IN_PRODUCTION"] = "true"  # the operator has said it twice
    return told


def _watch_specs(plan: Plan) -> tuple[PartSpec, ...]:
    return tuple(
        PartSpec(name, prepare, readiness(port, "/-/ready"), plan.url(name), _SERVER_POLICY)
        for name, port, prepare in lookout.servers(plan)
    )


def _proxies_spec(plan: Plan, config: str) -> PartSpec:
    port = plan.ports["proxies"]
    return PartSpec(
        "proxies",
        lambda: edges.command(plan.state, port, config, _inherited()),
        readiness(port, "/version"),
        f"http://{ports.LOOPBACK}:{port}",
        _SERVICE_POLICY,
    )


def _process_spec(
    part: str,
    port: int,
    module: str,
    gate: Path,
    told: Mapping[str, str],
) -> PartSpec:
    url = f"http://{ports.LOOPBACK}:{port}"
    # In the operator's folder, where relative paths in settings mean what they say; -P keeps that
    # folder off Python's path, so that nothing in it passes for one of our modules.
    command = Command(
        (sys.executable, "-P", "-m", "baluarte.launch", module, str(gate)),
        {**told, "BALUARTE_PORT": str(port)},
        Path.cwd(),
    )
    return PartSpec(part, lambda: command, readiness(port), url, _SERVICE_POLICY)


def readiness(port: int, path: str = "/health/ready") -> Callable[[], Awaitable[bool]]:
    """A probe that asks for `path`, and takes anything but 200 in time for a no.

    Spoken by hand, since loading an HTTP client would take longer than everything it is asked.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {ports.LOOPBACK}:{port}\r\n"
    request += "Connection: close\r\n\r\n"

    async def probe() -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
                try:
                    writer.write(request.encode())
                    status = (await reader.readline()).split()
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):  # ValueError: a line without end
            return False
        return status[1:2] == [b"200"]

    return probe
