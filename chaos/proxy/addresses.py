"""Addresses as `host:port`, read the way Toxiproxy reads them, and sockets that listen there."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final, Self

from chaos.proxy.errors import BadRequestBody, CannotListen, NotLoopback

BACKLOG: Final = 1_024
"""Connections that wait to be accepted: a herd after a recovery comes all at once."""

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port` or `[v6]:port`.

        Raises:
            ValueError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ValueError("missing port in address")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError("too many colons in address")
        if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
            raise ValueError("invalid port")
        return cls(host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def upstream_address(text: str) -> Address:
    """Read where a proxy leads to; a typing error is told now, not by every connection later."""
    try:
        address = Address.parse(text)
    except ValueError as error:
        raise BadRequestBody(f"upstream {text!r}: {error}; write host:port") from error
    if not address.host or address.port == 0:
        raise BadRequestBody(f"upstream {text!r}: write host:port, both given")
    return address


async def listening_socket(text: str, *, allow_remote: bool) -> socket.socket:
    """Bind and listen on `text`; an empty host is the loopback, port 0 any free one.

    Raises:
        CannotListen: no such address, or it is taken.
        NotLoopback: others could reach it, and that was not allowed.
    """
    try:
        address = Address.parse(text or f"{LOOPBACK}:0")
        host = address.host or ("0.0.0.0" if allow_remote else LOOPBACK)  # noqa: S104 - asked for
        family, number = await _resolve(host, address.port)
    except (ValueError, OSError) as error:
        raise CannotListen(text, _reason(error)) from error
    if not allow_remote and not ipaddress.ip_address(number.partition("%")[0]).is_loopback:
        raise NotLoopback(text)
    return _bind(text, family, number, address.port)


async def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    """One address: `localhost` on port 0 would otherwise be two ports."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    chosen = min(found, key=lambda each: each[0] != socket.AF_INET)
    return chosen[0], str(chosen[4][0])


def _bind(text: str, family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # Named TCP: asyncio sets TCP_NODELAY on accepted sockets only where the protocol says so.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(text, _reason(error)) from error
    return listener


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def name_of(listener: socket.socket) -> str:
    """The address that a socket really listens on."""
    host, port = listener.getsockname()[:2]
    return str(Address(host, port))
