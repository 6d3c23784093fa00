"""Asks a process of ours beside which it runs whether it is ready: the health check of a container.

    python -m baluarte.probe          exit code 0 when /health/ready answers 200 in time, else 1

Spoken by hand and without imports of ours: it runs every few seconds in every container.
"""

import os
import socket
import sys

SECONDS = 2.5
"""Readiness asks dependencies, each with a bound of 2 s."""

_REQUEST = b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
_MOST = 4_096  # bytes of an answer that are looked at


def is_ready(port: int) -> bool:
    """Whether the process on `port` of loopback says that it is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall(_REQUEST)
            answer = connection.recv(_MOST)
    except OSError:  # TimeoutError is one
        return False
    return answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))


def main() -> int:
    port = os.environ.get("BALUARTE_PORT", "")
    if not port.isdecimal():
        sys.stderr.write("BALUARTE_PORT is not set to the port of the process\n")
        return 1
    return 0 if is_ready(int(port)) else 1


if __name__ == "__main__":
    sys.exit(main())
