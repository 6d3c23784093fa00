"""The edges of a platform under `--chaos`: every address that a process is told is a proxy's of its own.

So a fault is for one connection of the platform's picture (`gateway-users`, `ledger-postgres`) and for no
other. What only the supervisor asks (probes, migrations, demonstration data) goes direct: what watches must
not lie.
"""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit, urlunsplit

from baluarte.embedded import ports
from baluarte.embedded.command import Command
from baluarte.embedded.places import write_private
from baluarte.errors import BaluarteError
from baluarte.migrate import HOUSES
from chaos.roster import Edge

DEFAULT_LEASE_SECONDS: Final = 600
"""For a toxic from a client that knows no leases: nothing is left over night."""

CONFIG: Final = "proxies.json"

PORTS: Final = range(20_000, 32_000)
"""Where proxies listen: below the ports that systems give to outgoing connections, so that none of those
takes a proxy's place while it is restarted."""

_TLS_SCHEMES: Final = frozenset({"https", "rediss", "amqps"})
_PORTS_OF: Final = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "amqp": 5672, "http": 80}


class Lines(Protocol):
    """How a process reaches what it calls."""

    def through(self, source: str, target: str, url: str) -> str:
        """The URL to tell `source`, for `url` of `target`."""
        ...


class Direct:
    """Without `--chaos`: as it is."""

    def through(self, source: str, target: str, url: str) -> str:  # noqa: ARG002
        return url


@dataclass(slots=True)
class Proxied:
    """Draws an edge for every line, and gives it a port.

    What is encrypted, or reached by a Unix socket, stays direct: its certificate names the real host.
    """

    taken: frozenset[int] = frozenset()
    """Ports that parts have."""
    port_is_free: Callable[[int], bool] = ports.is_free
    chance: random.Random = field(default_factory=random.SystemRandom)
    edges: dict[str, Edge] = field(default_factory=dict)
    _listen: dict[str, int] = field(default_factory=dict)
    _upstream: dict[str, str] = field(default_factory=dict)

    def through(self, source: str, target: str, url: str) -> str:
        """The URL of the edge's proxy; `url` itself where none can stand in between."""
        upstream = _plain_address(url)
        if upstream is None:
            return url
        name = f"{source}-{target}"
        if name not in self.edges:
            self.edges[name] = Edge(name=name, source=source, target=target)
            self._listen[name] = self._free()
            self._upstream[name] = upstream
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        netloc = f"{login}{at}{ports.LOOPBACK}:{self._listen[name]}"
        return urlunsplit(parts._replace(netloc=netloc))

    def config(self) -> str:
        """What the proxies' process reads: an array as `POST /populate` takes it."""
        return json.dumps(
            [
                {
                    "name": name,
                    "listen": f"{ports.LOOPBACK}:{self._listen[name]}",
                    "upstream": self._upstream[name],
                }
                for name in self.edges
            ]
        )

    def _free(self) -> int:
        """A port of nobody's, tried from a random place on, so that platforms side by side do not race."""
        used = self.taken | set(self._listen.values())
        start = self.chance.randrange(len(PORTS))
        for offset in range(len(PORTS)):
            port = PORTS[(start + offset) % len(PORTS)]
            if port not in used and self.port_is_free(port):
                return port
        raise BaluarteError.of(
            "PORTS_TAKEN",
            f"no port between {PORTS.start} and {PORTS.stop} is free for a fault proxy",
            "end what listens there, or start without --chaos",
        )


def command(state: Path, port: int, config: str) -> Command:
    """Runs the proxies; written anew at each start, so that no fault outlives their process."""
    path = state / CONFIG
    write_private(path, config)
    arguments = ("--port", str(port), "--config", str(path))
    lease = ("--default-lease", str(DEFAULT_LEASE_SECONDS))
    return Command(
        (sys.executable, "-P", "-m", "chaos.proxy", *arguments, *lease),
        {"PYTHONPATH": str(HOUSES), "PYTHONUNBUFFERED": "1"},
        Path.cwd(),
    )


def _plain_address(url: str) -> str | None:
    """`host:port` of a URL that TCP faults can be done to without its noticing."""
    parts = urlsplit(url)
    encrypted = parts.scheme in _TLS_SCHEMES or parse_qs(parts.query).get("sslmode", ["disable"])[
        -1
    ] not in {"disable", "allow", "prefer"}
    if encrypted or parts.hostname is None:
        return None
    port = parts.port or _PORTS_OF.get(parts.scheme)
    return None if port is None else f"{parts.hostname}:{port}"
