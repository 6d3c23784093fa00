"""The gateway's own settings, beside those that every process has."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from chassis.settings import Environment, Reader, Settings, read_settings, whole_number, words
from graphql_api.execution.limits import Limits

PEERS = ("users", "ledger", "transactions", "notifications")

DEVELOPMENT_ORIGINS = tuple(
    f"http://{host}:{port}"
    for port in (3000, 4200, 5173, 8080)
    for host in ("localhost", "127.0.0.1")
)
"""Where the usual development servers run: Next and Create React App, Angular, Vite, Vue."""

REQUESTS_PER_MINUTE = 100
"""Of one client: more than a person clicks, less than a scraper wants."""

LOGINS_PER_ACCOUNT = 10
"""Tries a minute on one account: people mistype twice, guessing needs thousands."""

LOGINS_PER_ADDRESS = 30
"""Tries a minute from one address: an office behind one address signs in on Monday morning."""

MAX_BODY = 100_000
"""Bytes of a request: the largest document that the limits admit, several times over."""

MAX_SECONDS = 10
"""Longest operation: what a person waits for at most."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway needs to know.

    Attributes:
        shared: what every process needs.
        cors_origins: origins whose pages may call; empty means none but our own.
        trusted_proxies: networks whose `X-Forwarded-For` is believed.
        requests_per_minute: of one client: the signed-in user, else the address.
        logins_per_account: tries of credentials a minute on one e-mail address.
        logins_per_address: tries of credentials, and registrations, a minute from one address.
        max_body: bytes of a request.
        max_seconds: longest that an operation may take; a client's `Deadline-Ms` can only shorten it.
    """

    shared: Settings
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    requests_per_minute: int = REQUESTS_PER_MINUTE
    logins_per_account: int = LOGINS_PER_ACCOUNT
    logins_per_address: int = LOGINS_PER_ADDRESS
    max_body: int = MAX_BODY
    max_seconds: float = MAX_SECONDS
    limits: Limits = field(default_factory=Limits)

    @property
    def explorable(self) -> bool:
        """Whether introspection and GraphiQL are there: in development only."""
        return self.shared.environment is Environment.DEVELOPMENT


def read(environ: Mapping[str, str]) -> GatewaySettings:
    """Read and check them all. Raises: SettingsError: listing everything that is wrong."""
    keys = Reader(environ)
    shared = read_settings(environ, "gateway", needs_database=False, peers=PEERS, reader=keys)
    development = shared.environment is Environment.DEVELOPMENT
    settings = GatewaySettings(
        shared=shared,
        cors_origins=keys.get(
            "BALUARTE_CORS_ORIGINS",
            parse=origins,
            default=DEVELOPMENT_ORIGINS if development else (),
        ),
        trusted_proxies=keys.get("BALUARTE_TRUSTED_PROXIES", parse=networks, default=()),
        requests_per_minute=keys.get(
            "BALUARTE_RATE_LIMIT", parse=whole_number(1, 10_000_000), default=REQUESTS_PER_MINUTE
        ),
        logins_per_account=keys.get(
            "BALUARTE_LOGIN_LIMIT_ACCOUNT",
            parse=whole_number(1, 1_000_000),
            default=LOGINS_PER_ACCOUNT,
        ),
        logins_per_address=keys.get(
            "BALUARTE_LOGIN_LIMIT_ADDRESS",
            parse=whole_number(1, 1_000_000),
            default=LOGINS_PER_ADDRESS,
        ),
        max_seconds=keys.get(
            "BALUARTE_OPERATION_SECONDS", parse=whole_number(1, 60), default=MAX_SECONDS
        ),
    )
    keys.finish()
    return settings


def origins(text: str) -> tuple[str, ...]:
    """A comma-separated list of web origins: scheme, host and port, nothing after."""
    found = words(text)
    for origin in found:
        scheme, separator, rest = origin.partition("://")
        if scheme not in {"http", "https"} or not separator or not rest or "/" in rest:
            raise ValueError(f"has {origin!r}; use origins such as https://bank.example")
    return found


def networks(text: str) -> tuple[Network, ...]:
    """A comma-separated list of addresses or networks in CIDR notation."""
    found = []
    for word in words(text):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ValueError(
                f"has {word!r}; use addresses or networks such as 10.0.0.0/8"
            ) from None
    return tuple(found)
