"""The edges of a platform under `--chaos`: every address that a process is told is a proxy's of its own.

A fault is then for one connection of the platform's picture (`gateway-users`, `ledger-postgres`) and for
no other. What only the supervisor asks (probes, migrations, demonstration data) goes direct: whoever
watches must see the parts as they are.
"""

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from baluarte.embedded import ports
from baluarte.embedded.command import Command
from baluarte.embedded.places import write_private
from baluarte.errors import BaluarteError
from chaos.roster import Edge

CONFIG: Final = "proxies.json"

DEFAULT_LEASE_SECONDS: Final = 600
"""Of a fault from a client that knows no leases: what is forgotten in the evening is over by the morning."""

PORTS: Final = range(20_000, 32_000)
"""Where proxies listen: below the ports that systems give to outgoing connections, so that none of those
takes a proxy's place while its process is restarted."""

_TRIES: Final = 1_000
"""Ports that are looked at for one edge: more than that many taken ones are no accident."""

_NAME_CHECKED: Final = frozenset({"https", "rediss", "amqps"})
"""Schemes whose clients compare the server's certificate with the host that they were told."""

_USUAL_PORTS: Final = {
    "postgresql": 5432,
    "postgres": 5432,
    "redis": 6379,
    "amqp": 5672,
    "http": 80,
}

Through = Callable[[str, str, str], str]
"""Gives the URL that `source` is told for `target`, whose own URL is the third argument."""


def direct(_source: str, _target: str, url: str) -> str:
    """`Through` without `--chaos`: as it is."""
    return url


@dataclass(frozen=True, slots=True)
class _Proxy:
    edge: Edge
    listen: str
    upstream: str


@dataclass(slots=True)
class Proxied:
    """Draws an edge for everything that a process calls, each with a listening port of its own.

    What checks the name in a certificate, and what is reached through a Unix socket, stays direct and is
    listed in `left_out`: no proxy can stand there unnoticed.

    Args:
        taken: ports that parts have.
    """

    taken: frozenset[int]
    port_is_free: Callable[[int], bool] = ports.is_free
    chance: random.Random = field(default_factory=random.SystemRandom)
    left_out: list[str] = field(default_factory=list)
    _proxies: dict[str, _Proxy] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)

    def through(self, source: str, target: str, url: str) -> str:
        """`Through`, by way of the edge's proxy."""
        name, parts = f"{source}-{target}", urlsplit(url)
        upstream = _address(parts)
        if upstream is None:
            self.left_out.append(name)
            return url
        listen = f"{ports.LOOPBACK}:{self._port()}"
        edge = Edge(name=name, source=source, target=target)
        self._proxies[name] = _Proxy(edge, listen, upstream)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{listen}"))

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Those with a proxy."""
        return tuple(proxy.edge for proxy in self._proxies.values())

    def config(self) -> str:
        """What the proxies' process reads: an array as `POST /populate` takes it."""
        return json.dumps(
            [
                {"name": name, "listen": proxy.listen, "upstream": proxy.upstream}
                for name, proxy in self._proxies.items()
            ],
            indent=1,
        )

    def _port(self) -> int:
        for _ in range(_TRIES):
            port = self.chance.choice(PORTS)
            if port not in self.taken and port not in self._used and self.port_is_free(port):
                self._used.add(port)
                return port
        raise BaluarteError.of(
            "PORTS_TAKEN",
            f"no port between {PORTS.start} and {PORTS.stop} was found free for a fault proxy",
            "end what listens there, or start without --chaos",
        )


def _address(parts: SplitResult) -> str | None:
    """`host:port` of a URL behind which a proxy is not noticed; else None."""
    ssl_mode = parse_qs(parts.query).get("sslmode", ["prefer"])[-1]
    if parts.scheme in _NAME_CHECKED or ssl_mode == "verify-full":
        return None
    port = parts.port or _USUAL_PORTS.get(parts.scheme)
    if parts.hostname is None or port is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


def command(state: Path, port: int, config: str, environment: Mapping[str, str]) -> Command:
    """Runs the proxies, without any toxic: a fault does not outlive their process."""
    path = state / CONFIG
    write_private(path, config)
    options = ("--port", str(port), "--config", str(path))
    lease = ("--default-lease", str(DEFAULT_LEASE_SECONDS))
    argv = (sys.executable, "-P", "-m", "chaos.proxy", *options, *lease)
    return Command(argv, environment, Path.cwd())
