"""What a process is told from outside: read once from the environment, wholly checked, never again.

All problems come in one `SettingsError`, each with the way out, before anything is opened.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from chassis.reader import Reader as Reader
from chassis.reader import SettingsError as SettingsError

T = TypeVar("T")

SERVICES = ("gateway", "users", "ledger", "transactions", "notifications")
"""Every process of the platform that has a name in settings and credentials."""

DEFAULT_PORTS: Mapping[str, int] = {
    "gateway": 8000,
    "users": 8001,
    "ledger": 8002,
    "transactions": 8003,
    "notifications": 8004,
}


TRACE_SAMPLE = 0.1
"""Enough to see the usual; what spans cost falls with their share (docs/tracing.md says how much)."""

MIN_TOKEN = 16
"""Shortest token that opens the fault point, characters."""


class Environment(StrEnum):
    """Where the process runs. Development admits GraphiQL, introspection and the demonstration rail."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that does not show itself; read it with `reveal()` where it is used."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "Secret(********)"


@dataclass(frozen=True, slots=True)
class Settings:
    """What every process needs; a service reads its own keys with a `Reader` of its own.

    Attributes:
        policies_dir: where `<service>.toml` may take the place of the process' own policy file.
        breaker_hints: whether replicas tell each other which breakers are open.
        otlp_url: where spans are sent, OTLP over HTTP; None for no tracing.
        trace_sample: share of the traces that begin in this process.
        chaos_token: opens the fault point; without it there is none.
    """

    service: str
    environment: Environment
    host: str
    port: int
    state_dir: Path
    keys_dir: Path
    database_url: Secret | None
    bus_database_url: Secret | None
    amqp_url: Secret | None
    redis_url: Secret | None
    peers: Mapping[str, tuple[str, ...]]
    log_level: str
    policies_dir: Path | None = None
    breaker_hints: bool = False
    otlp_url: str | None = None
    trace_sample: float = TRACE_SAMPLE
    chaos_token: Secret | None = None

    @property
    def in_production(self) -> bool:
        return self.environment is Environment.PRODUCTION


def read_settings(
    environ: Mapping[str, str],
    service: str,
    *,
    needs_database: bool = True,
    peers: Sequence[str] = (),
    reader: Reader | None = None,
) -> Settings:
    """Settings of `service`, which talks to `peers`.

    Args:
        reader: hand one in to read more keys of your own before `finish` is called by you; without it
            this function finishes, so raises `SettingsError` itself.
    """
    keys = reader or Reader(environ)
    prefix = f"BALUARTE_{service.upper()}"
    environment = keys.get(
        "BALUARTE_ENVIRONMENT", parse=_environment, default=Environment.DEVELOPMENT
    )
    state_dir = keys.get("BALUARTE_STATE_DIR", parse=Path, default=Path(".baluarte"))
    settings = Settings(
        service=service,
        environment=environment,
        host=keys.get("BALUARTE_HOST", parse=str, default="127.0.0.1"),
        port=keys.get("BALUARTE_PORT", parse=port, default=DEFAULT_PORTS.get(service, 0)),
        state_dir=state_dir,
        keys_dir=keys.get("BALUARTE_KEYS_DIR", parse=Path, default=state_dir / "keys"),
        policies_dir=keys.get("BALUARTE_POLICIES_DIR", parse=folder, default=None),
        breaker_hints=keys.get("BALUARTE_BREAKER_HINTS", parse=switch, default=False),
        otlp_url=keys.get("BALUARTE_OTLP_URL", parse=collector_url, default=None),
        trace_sample=keys.get("BALUARTE_TRACE_SAMPLE", parse=share, default=TRACE_SAMPLE),
        database_url=keys.require(
            f"{prefix}_DATABASE_URL",
            parse=database_url,
            default=None,
            hint="give postgresql://user:password@host:port/database",
            from_file=True,
        )
        if needs_database
        else None,
        bus_database_url=_secret(keys, "BALUARTE_BUS_DATABASE_URL", database_url),
        amqp_url=_secret(keys, "BALUARTE_AMQP_URL", amqp_url),
        redis_url=_secret(keys, "BALUARTE_REDIS_URL", redis_url),
        peers={peer: _peer_urls(keys, peer) for peer in peers},
        log_level=keys.get("BALUARTE_LOG_LEVEL", parse=log_level, default="INFO"),
        chaos_token=_chaos_token(keys, environment),
    )
    if reader is None:
        keys.finish()
    return settings


def _secret(keys: Reader, key: str, parse: Callable[[str], Secret]) -> Secret | None:
    return keys.get(key, parse=parse, default=None, from_file=True)


def _chaos_token(keys: Reader, environment: Environment) -> Secret | None:
    """The token of the fault point; in production only if it is said twice."""
    token = _secret(keys, "BALUARTE_CHAOS_TOKEN", chaos_token)
    twice = keys.get("BALUARTE_CHAOS_IN_PRODUCTION", parse=switch, default=False)
    if token is not None and environment is Environment.PRODUCTION and not twice:
        keys.problems.append(
            "BALUARTE_CHAOS_TOKEN lets faults be injected, and BALUARTE_ENVIRONMENT is production; "
            "unset it, or say it twice with BALUARTE_CHAOS_IN_PRODUCTION=true"
        )
    return token


def _peer_urls(keys: Reader, peer: str) -> tuple[str, ...]:
    port_ = DEFAULT_PORTS.get(peer)
    default = (f"http://127.0.0.1:{port_}",) if port_ else ()
    return keys.get(f"BALUARTE_{peer.upper()}_URLS", parse=base_urls, default=default)


def _environment(text: str) -> Environment:
    try:
        return Environment(text.lower())
    except ValueError:
        raise ValueError(
            f"is {text!r}; use one of {', '.join(item.value for item in Environment)}"
        ) from None


def folder(text: str) -> Path:
    """A directory that exists."""
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"is {text!r}; give a directory that exists")
    return path


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise ValueError(f"is {text!r}; use a port between 0 and 65535")
    return int(text)


def switch(text: str) -> bool:
    """`on` or `off`."""
    if text.lower() in {"on", "true", "1", "yes"}:
        return True
    if text.lower() in {"off", "false", "0", "no"}:
        return False
    raise ValueError(f"is {text!r}; use on or off")


def collector_url(text: str) -> str:
    """The base URL of an OTLP collector."""
    return _url(text, ("http", "https"), "http://host:4318").rstrip("/")


def share(text: str) -> float:
    """A number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"is {text!r}; use a number between 0 and 1")
    return value


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A parser of integers between `low` and `high`, inclusive."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"is {text!r}; use a whole number between {low} and {high}")
        return value

    return parse


def words(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _url(text: str, schemes: Sequence[str], example: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"is not a URL of the right kind; use {example}")
    return text


def database_url(text: str) -> Secret:
    """A PostgreSQL URL, kept secret because it carries a password."""
    parts = urlsplit(text)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise ValueError(
            "is not a PostgreSQL URL; use postgresql://user:password@host:port/database"
        )
    return Secret(text)


def amqp_url(text: str) -> Secret:
    """A RabbitMQ URL."""
    return Secret(_url(text, ("amqp", "amqps"), "amqp://user:password@host:5672/"))


def redis_url(text: str) -> Secret:
    """A Redis or Valkey URL."""
    if text.startswith("unix://"):
        return Secret(text)
    return Secret(_url(text, ("redis", "rediss"), "redis://host:6379/0"))


def base_urls(text: str) -> tuple[str, ...]:
    """A comma-separated list of http(s) base URLs, without a trailing slash."""
    urls = tuple(
        _url(word, ("http", "https"), "http://host:port, separated by commas").rstrip("/")
        for word in words(text)
    )
    if not urls:
        raise ValueError("is empty; give at least one base URL")
    return urls


def chaos_token(text: str) -> Secret:
    """A secret that can be sent as a bearer token and not be guessed."""
    if len(text) < MIN_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            f"cannot be used; give at least {MIN_TOKEN} printable ASCII characters without spaces"
        )
    return Secret(text)


def log_level(text: str) -> str:
    """DEBUG, INFO, WARNING or ERROR."""
    level = text.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError(f"is {text!r}; use DEBUG, INFO, WARNING or ERROR")
    return level
