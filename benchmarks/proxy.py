"""What the fault proxy costs beside a direct connection, as ratios within one run.

    .venv/bin/python -m benchmarks.proxy [--rounds N]

Three processes: this client (blocking sockets), the upstream, and `python -m chaos.proxy` as its users run
it. Rounds alternate between the paths, so that a busy moment of the machine hits all alike. Latency is the
median of small requests that are answered with the same bytes; throughput is the best round of reading one
long answer. "A toxic that does nothing" is latency 0: the price of going through the toxics at all.
"""

import argparse
import asyncio
import json
import socket
import statistics
import struct
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field

REQUEST = b"x" * 128
REQUESTS = 500
LONG = 64 * 1024 * 1024
SIZE = struct.Struct("!Q")
LATENCY_GOAL, THROUGHPUT_GOAL = 4.0, 0.25
"""Ratios to the direct connection, whose far end does nothing at all: two more hops, two more round trips."""


class Upstream(asyncio.Protocol):
    """Answers `REQUEST` with itself, and a size with that many bytes."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if len(data) == SIZE.size:
            self.transport.write(bytes(SIZE.unpack(data)[0]))
        else:
            self.transport.write(data)


async def serve_upstream() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(f"upstream on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@dataclass
class Path:
    """One way to the upstream, and what was measured on it."""

    name: str
    port: int
    seconds: list[float] = field(default_factory=list)
    bytes_per_second: float = 0.0

    def small(self) -> None:
        with self._connected() as connection:
            for _ in range(REQUESTS):
                began = time.perf_counter()
                connection.sendall(REQUEST)
                received = 0
                while received < len(REQUEST):
                    received += len(connection.recv(4096))
                self.seconds.append(time.perf_counter() - began)

    def long(self) -> None:
        buffer = bytearray(1024 * 1024)
        with self._connected() as connection:
            began = time.perf_counter()
            connection.sendall(SIZE.pack(LONG))
            received = 0
            while received < LONG:
                received += connection.recv_into(buffer)
            self.bytes_per_second = max(self.bytes_per_second, LONG / (time.perf_counter() - began))

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds)

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def started(*command: str) -> tuple[subprocess.Popen[str], str]:
    """Start a part and return it with the address on its first line."""
    child = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    return child, child.stdout.readline().split()[-1 if command[0] != "chaos.proxy" else 3].strip(
        ","
    )


def call(url: str, body: object) -> dict[str, str]:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        found: dict[str, str] = json.load(answer)
    return found


def paths(api: str, upstream: str) -> list[Path]:
    """The direct way, the one through a proxy, and the one through a toxic as well."""
    found = [Path("direct", int(upstream.split(":")[1]))]
    for name in ("proxy", "a toxic that does nothing"):
        edge = call(f"{api}/proxies", {"name": str(len(found)), "upstream": upstream})
        found.append(Path(name, int(edge["listen"].split(":")[1])))
    for stream in ("upstream", "downstream"):
        call(f"{api}/proxies/2/toxics", {"type": "latency", "stream": stream})
    return found


def report(measured: list[Path]) -> bool:
    """Print the table. Returns whether the proxy keeps to its goals."""
    direct, proxy = measured[0], measured[1]
    print(f"{'path':28} {'p50 µs':>8} {'ratio':>6} {'MiB/s':>8} {'ratio':>6}")
    for path in measured:
        print(
            f"{path.name:28} {path.p50 * 1e6:8.0f} {path.p50 / direct.p50:6.2f}"
            f" {path.bytes_per_second / 2**20:8.0f}"
            f" {path.bytes_per_second / direct.bytes_per_second:6.2f}"
        )
    latency, throughput = proxy.p50 / direct.p50, proxy.bytes_per_second / direct.bytes_per_second
    good = latency <= LATENCY_GOAL and throughput >= THROUGHPUT_GOAL
    print(
        f"goals: latency at most {LATENCY_GOAL} times, throughput at least {THROUGHPUT_GOAL} times the"
        f" direct connection's: {'kept' if good else 'MISSED'}"
    )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        asyncio.run(serve_upstream())
    children = []
    try:
        server, upstream = started("benchmarks.proxy", "--upstream")
        children.append(server)
        proxy, api = started("chaos.proxy", "--port", "0")
        children.append(proxy)
        measured = paths(api, upstream)
        for _ in range(given.rounds):
            for path in measured:
                path.small()
            for path in measured:
                path.long()
        return 0 if report(measured) else 1
    finally:
        for child in children:
            child.terminate()
            child.wait(10)


if __name__ == "__main__":
    sys.exit(main())
