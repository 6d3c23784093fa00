"""The address of a client, seen through the proxies that we trust and no others."""

import ipaddress
from collections.abc import Iterable, Sequence

from graphql_api.settings import Network

MAX_HOPS = 16
"""Most entries of X-Forwarded-For looked at, from the right: more proxies than anybody runs."""

IPV6_PREFIX = 64
"""An IPv6 client is counted by its network: it can choose any of 2^64 addresses in it."""

UNKNOWN = "unknown"


def client_address(
    peer: str | None, forwarded_for: Sequence[str], trusted: Iterable[Network]
) -> str:
    """The address to count a client by.

    Each proxy appends the address that it was called from, so the list is read from the right for as
    long as the caller is a proxy that we trust; what stands left of that could be anybody's invention.

    Args:
        peer: who opened the connection.
        forwarded_for: values of `X-Forwarded-For` headers, in order.
    """
    networks = tuple(trusted)
    current = _address(peer or "")
    if current is None:
        return UNKNOWN
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")][-MAX_HOPS:]
    while hops and _within(current, networks):
        before = _address(hops.pop())
        if before is None:
            break
        current = before
    return _counted(current)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _within(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: tuple[Network, ...]
) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _counted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        network = ipaddress.ip_network((address, IPV6_PREFIX), strict=False)
        return str(network.network_address)
    return str(address)
