"""What `baluarte up` will do, decided and checked before the first process starts.

Everything that is wrong comes in one list, each with the way out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from baluarte.embedded import ports, processes
from baluarte.embedded.postgres import DEFAULT_PORT as POSTGRES_PORT
from baluarte.embedded.valkey import DEFAULT_PORT as VALKEY_PORT
from baluarte.embedded.watch import ALERTMANAGER_PORT, PROMETHEUS_PORT, Outlook
from baluarte.errors import BaluarteError, Problem, invalid
from baluarte.migrate import LOCATIONS, database_urls
from baluarte.supervisor.lookout import missing, read_outlook
from chassis import settings

SERVICES = ("users", "ledger", "transactions", "notifications")
PEERS: Mapping[str, tuple[str, ...]] = {
    "gateway": SERVICES,
    "users": ("ledger",),
    "ledger": ("users",),
    "transactions": ("ledger", "users"),
    "notifications": ("users",),
}
"""Whom each process calls. It is told no other's address; a test compares this with what each reads."""

PRINCIPAL = "baluarte"
"""The name under which we call services ourselves, for set-up."""

DEFAULT_PORTS: Mapping[str, int] = {
    **settings.DEFAULT_PORTS,
    "supervisor": 8010,
    "postgres": POSTGRES_PORT,
    "valkey": VALKEY_PORT,
    "proxies": 8474,  # where Toxiproxy's clients look for it
    "prometheus": PROMETHEUS_PORT,
    "alertmanager": ALERTMANAGER_PORT,
}
_MAX_REPLICAS = 8  # of one service on one machine: connections to PostgreSQL are counted for it


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line was told."""

    state: Path
    gateway_port: int | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)
    demo: bool = True
    chaos: bool = False
    """Whether faults may be injected."""
    chaos_in_production: bool = False
    """The second word, without which production takes no faults."""
    monitoring: bool = False
    """Whether Prometheus and Alertmanager run beside the platform."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked plan. `ports` has one entry per part, replicas as `users-2`."""

    state: Path
    environment: settings.Environment
    ports: Mapping[str, int]
    databases: Mapping[str, str]
    """URLs of the databases outside, by service; the rest lies on the embedded server."""
    server_url: str | None
    redis_url: str | None
    amqp_url: str | None
    demo: bool
    chaos: bool
    passed_on: Mapping[str, str]
    """Settings of ours in the environment that every process gets as they are."""
    told: frozenset[str]
    """Names of all settings of ours in the environment."""
    console: bool = True
    """Whether the supervisor serves the console; never in production."""
    outlook: Outlook | None = None
    """How Prometheus and Alertmanager watch; None without `--monitoring`."""

    @property
    def embeds_postgres(self) -> bool:
        return not self.server_url and any(name not in self.databases for name in self.wanted)

    @property
    def policies(self) -> Path:
        """Where policy files go under `--chaos`, unless the operator has named a folder."""
        return self.state / "policies"

    @property
    def embeds_valkey(self) -> bool:
        return self.redis_url is None

    @property
    def wanted(self) -> tuple[str, ...]:
        """The databases that are needed: the bus has none when it runs on RabbitMQ."""
        return tuple(name for name in LOCATIONS if name != "bus" or self.amqp_url is None)

    def members(self, service: str) -> list[str]:
        """The parts of a service: itself and its replicas."""
        return [part for part in self.ports if part == service or _service_of(part) == service]

    def url(self, part: str) -> str:
        return f"http://{ports.LOOPBACK}:{self.ports[part]}"

    def urls(self, service: str) -> list[str]:
        return [self.url(part) for part in self.members(service)]


def _service_of(part: str) -> str:
    return part.rpartition("-")[0]


def make_plan(
    options: Options,
    environ: Mapping[str, str],
    *,
    port_is_free: Callable[[int], bool] = ports.is_free,
    checks: Sequence[Callable[[Plan], Sequence[Problem]]] = (),
) -> Plan:
    """Check everything. Raises `BaluarteError` with all that is wrong.

    Args:
        checks: further ones; each is given a plan in which defaults stand for what is wrong, so that
            its problems are told in the same list.
    """
    reader = settings.Reader(environ)
    environment = reader.get(
        "BALUARTE_ENVIRONMENT", parse=_environment, default=settings.Environment.DEVELOPMENT
    )
    reader.get("BALUARTE_LOG_LEVEL", parse=settings.log_level, default="INFO")
    server = reader.get("BALUARTE_DATABASE_URL", parse=_database_url, default=None, from_file=True)
    for service in LOCATIONS:
        key = f"BALUARTE_{service.upper()}_DATABASE_URL"
        reader.get(key, parse=_database_url, default=None, from_file=True)
    redis = reader.get("BALUARTE_REDIS_URL", parse=settings.redis_url, default=None, from_file=True)
    amqp = reader.get("BALUARTE_AMQP_URL", parse=settings.amqp_url, default=None, from_file=True)
    console = reader.get("BALUARTE_CONSOLE", parse=settings.switch, default=True)
    outlook = read_outlook(reader)
    chosen = _ports(options, reader)
    problems = [invalid(problem) for problem in reader.problems]
    problems += _replica_problems(options.replicas)
    plan = Plan(
        state=options.state.absolute(),
        environment=environment,
        ports=chosen,
        databases={} if reader.problems else database_urls(environ),
        server_url=server,
        redis_url=redis.reveal() if redis else None,
        amqp_url=amqp.reveal() if amqp else None,
        demo=options.demo and environment is not settings.Environment.PRODUCTION,
        chaos=options.chaos,
        passed_on=_passed_on(environ),
        told=frozenset(name for name in environ if name.startswith("BALUARTE_")),
        console=console and environment is not settings.Environment.PRODUCTION,
        outlook=outlook if options.monitoring else None,
    )
    problems += _chaos_problems(options, environment)
    problems += missing() if options.monitoring else []
    problems += _port_problems(_used_ports(plan), port_is_free)
    for check in checks:
        problems += check(plan)
    if problems:
        raise BaluarteError(*dict.fromkeys(problems))  # several may have read the same setting
    return plan


def _environment(text: str) -> settings.Environment:
    try:
        return settings.Environment(text.lower())
    except ValueError:
        names = ", ".join(item.value for item in settings.Environment)
        raise ValueError(f"is {text!r}; use one of {names}") from None


def _database_url(text: str) -> str:
    return settings.database_url(text).reveal()


def _ports(options: Options, reader: settings.Reader) -> dict[str, int]:
    chosen = {}
    for part, default in DEFAULT_PORTS.items():
        chosen[part] = reader.get(f"BALUARTE_{part.upper()}_PORT", parse=_port, default=default)
    if options.gateway_port is not None:
        chosen["gateway"] = options.gateway_port
    for service, count in options.replicas.items():
        if service in SERVICES:
            for number in range(2, min(count, _MAX_REPLICAS) + 1):
                chosen[f"{service}-{number}"] = _another_port(set(chosen.values()))
    return chosen


def _port(text: str) -> int:
    number = settings.port(text)
    if number == 0:
        raise ValueError("is 0; name a port, clients have to find it")
    return number


def _another_port(taken: set[int]) -> int:
    while (port := ports.free_port()) in taken:
        pass
    return port


def _replica_problems(replicas: Mapping[str, int]) -> list[Problem]:
    problems = []
    for service, count in replicas.items():
        if service not in SERVICES:
            problems.append(
                Problem(
                    "REPLICAS_INVALID",
                    f"--replicas {service}={count}: there are no replicas of {service} here",
                    f"choose among {', '.join(SERVICES)}; several gateways need a load balancer",
                )
            )
        elif not 1 <= count <= _MAX_REPLICAS:
            problems.append(
                Problem(
                    "REPLICAS_INVALID",
                    f"--replicas {service}={count} is out of range",
                    f"choose a number between 1 and {_MAX_REPLICAS}",
                )
            )
    return problems


def _chaos_problems(options: Options, environment: settings.Environment) -> list[Problem]:
    in_production = environment is settings.Environment.PRODUCTION
    if not options.chaos or not in_production or options.chaos_in_production:
        return []
    return [
        Problem(
            "CHAOS_IN_PRODUCTION",
            "--chaos lets anybody with the supervisor's token kill and pause parts of production",
            "leave it out, or add --chaos-in-production if that is what you want",
        )
    ]


def _used_ports(plan: Plan) -> dict[str, int]:
    unused = set()
    if not plan.embeds_postgres:
        unused.add("postgres")
    if not plan.embeds_valkey:
        unused.add("valkey")
    if not plan.chaos:
        unused.add("proxies")
    if plan.outlook is None:
        unused |= {"prometheus", "alertmanager"}
    return {part: port for part, port in plan.ports.items() if part not in unused}


def _port_problems(used: Mapping[str, int], port_is_free: Callable[[int], bool]) -> list[Problem]:
    problems = []
    first: dict[int, str] = {}
    for part, port in used.items():
        other = first.setdefault(port, part)
        if other != part:
            problems.append(
                Problem("PORT_TWICE", f"{other} and {part} both have port {port}", _way_out(part))
            )
        elif not port_is_free(port):
            what = f"port {port}, for {part}, is taken by {processes.listener(port)}"
            problems.append(Problem("PORT_IN_USE", what, f"end that process, or {_way_out(part)}"))
    return problems


def _way_out(part: str) -> str:
    setting = f"set BALUARTE_{part.upper()}_PORT to a free one"
    return f"use --port, or {setting}" if part == "gateway" else setting


_OURS_ALONE = ("_DATABASE_URL", "_DATABASE_URL_FILE", "_URLS", "_PORT")
_DECIDED_HERE = {
    "BALUARTE_AMQP_URL",
    "BALUARTE_AMQP_URL_FILE",
    "BALUARTE_CHAOS_IN_PRODUCTION",
    "BALUARTE_CHAOS_TOKEN",
    "BALUARTE_CONSOLE",
    "BALUARTE_CHAOS_TOKEN_FILE",
    "BALUARTE_HOST",
    "BALUARTE_KEYS_DIR",
    "BALUARTE_REDIS_URL",
    "BALUARTE_REDIS_URL_FILE",
    "BALUARTE_STATE_DIR",
}


def _passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings that are not about addresses: those every process is told by us, and only its own."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith("BALUARTE_")
        and name not in _DECIDED_HERE
        and not name.endswith(_OURS_ALONE)
    }
