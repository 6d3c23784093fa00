"""One request, once: what is told of answers that come, come broken, or do not come."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from baluarte.embedded.ports import free_port
from tests import servers


class Peer:
    """A server that says the same to everybody and counts who asked; `says=None` hangs up."""

    def __init__(self, says: bytes | None) -> None:
        self._says = says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/graphql"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self.requests.append(_request(connection))
                if self._says is not None:
                    connection.sendall(self._says)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def _request(connection: socket.socket) -> bytes:
    """One whole request with a content length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    wanted = int(lengths[0].partition(b":")[2])
    while len(body) < wanted:
        body += connection.recv(4096)
    return head + b"\r\n\r\n" + body


def answer(status: str, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


@pytest.fixture
def peers() -> Iterator[dict[str, Peer]]:
    """One of each kind."""
    made = {
        "good": Peer(answer("200 OK", b'{"data": {}}')),
        "unwell": Peer(answer("503 Service Unavailable", b'{"errors": []}')),
        "redirecting": Peer(
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        ),
        "hanging up": Peer(None),
        "torn": Peer(answer("200 OK", b'{"data"', length=100)),
        "babbling": Peer(b"what?\r\n\r\n"),
    }
    yield made
    for peer in made.values():
        peer.close()


def post(*urls: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.loadtests.posting", *urls],
        cwd=servers.HOUSES,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_a_client_is_told_of_each_end(peers: dict[str, Peer]) -> None:
    """Errors are read like answers, nothing is redirected, and an answer that broke off is none."""
    told = dict(zip(peers, post(*(peer.url for peer in peers.values())), strict=True))

    assert told["good"] == {"status": 200, "body": '{"data": {}}'}
    assert told["unwell"] == {"status": 503, "body": '{"errors": []}'}
    assert told["redirecting"] == {"status": 307, "body": ""}
    for kind in ("hanging up", "torn", "babbling"):
        assert told[kind].get("sent") is True, told[kind]


def test_nothing_is_sent_twice(peers: dict[str, Peer]) -> None:
    """However it ended: a repetition that the load does not know of would be a lie in its history."""
    urls = [peer.url for peer in peers.values()]
    post(*urls, *urls)
    assert {kind: len(peer.requests) for kind, peer in peers.items()} == dict.fromkeys(peers, 2)


def test_a_user_is_told_apart_by_address_and_token(peers: dict[str, Peer]) -> None:
    """The headers that the gateway's limiter counts by are in every request."""
    post(peers["good"].url)
    head, _, body = peers["good"].requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"x-forwarded-for: 10.1.2.3" in lines
    assert b"authorization: bearer token" in lines
    assert b"query Overview" in body


def test_a_connection_that_was_refused_carried_nothing() -> None:
    """The only failure after which it is certain that the platform saw nothing."""
    (told,) = post(f"http://127.0.0.1:{free_port()}/graphql")
    assert told["sent"] is False
