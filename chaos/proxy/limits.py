"""The bounds of the proxy, each with its reason."""

from dataclasses import dataclass, fields
from typing import Final

MAX_MILLISECONDS: Final = 86_400_000
"""Longest delay or timeout of a toxic, a day: more is a mistake of units."""

MAX_LEASE_SECONDS: Final = 86_400.0
"""Longest lease, a day: more is a mistake of units. Renew it, or do without one."""

MAX_NAME: Final = 128
"""Characters in the name of a proxy or toxic: names end up in URLs, logs and metrics."""

PIECE_COST: Final = 256
"""Bytes that holding one piece costs beside its data, so that single bytes are not held for free."""

PIECES_AT_ONCE: Final = 256
"""Pieces that one toxic hands to the next in one turn of the loop: thin slices must not hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one proxy server may take of the machine.

    Attributes:
        proxies: edges of one server; the platform has about twenty.
        toxics: per proxy; each costs time per piece of data, on both streams together.
        connections: per proxy, two descriptors each: twice the thousand that `make prove` holds open.
            One more is closed at once.
        buffered_bytes: held per connection and direction before its sender is paused. 1 MiB carries
            10 MiB/s through 100 ms of latency; a toxic behind a slicer may hold as much once more.
        transport_bytes: given to a socket that does not take them, before the sender is paused.
        body_bytes: of one request: a `populate` of all proxies fits several times.
        connect_seconds: for reaching the upstream; then the client is closed.
        close_seconds: for the last bytes of a closing connection to be taken; then they are dropped.
        rebind_seconds: between attempts to listen again when a lease on "down" ended and the port is taken.
    """

    proxies: int = 256
    toxics: int = 32
    connections: int = 2_048
    buffered_bytes: int = 1_048_576
    transport_bytes: int = 65_536
    body_bytes: int = 262_144
    connect_seconds: float = 10.0
    close_seconds: float = 30.0
    rebind_seconds: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"the limit {field.name} must be above 0")
