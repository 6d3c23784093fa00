"""The health check of a container: quick, and right about what it sees."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from baluarte import probe
from tests import servers


@contextmanager
def answering(*lines: bytes) -> Iterator[int]:
    """A server that says `lines` to whoever connects."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1_024)
            for line in lines:
                self.request.sendall(line)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"SSH-2.0 200", False),
        (b"", False),
    ],
)
def test_only_200_is_ready(answer: bytes, ready: bool) -> None:
    """Whatever else somebody says on that port is a no."""
    with answering(answer) as port:
        assert probe.is_ready(port) is ready


def test_nobody_and_silence_are_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port without listener at once, a process that hangs within the bound."""
    monkeypatch.setattr(probe, "SECONDS", 0.1)
    with servers.listening() as silent:
        assert not probe.is_ready(silent)
    assert not probe.is_ready(silent)


def test_the_program_says_it_by_its_exit_code() -> None:
    """0 and 1, as Docker wants it; without a port it says what is missing."""

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("BALUARTE_")}
        return subprocess.run(
            (sys.executable, "-m", "baluarte.probe"),
            env={**clean, "PYTHONPATH": str(servers.HOUSES), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert run(BALUARTE_PORT=str(port)).returncode == 0
    assert run(BALUARTE_PORT=str(port)).returncode == 1
    assert "BALUARTE_PORT" in run().stderr


def test_it_costs_no_imports_of_ours() -> None:
    """It runs every few seconds beside each process: it loads the standard library's sockets only."""
    program = "import sys, baluarte.probe; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = servers.python(program, stdout=subprocess.PIPE)
    loaded = set(done.communicate(timeout=30)[0].decode().split())
    assert "baluarte" in loaded
    assert not loaded & {"asyncio", "click", "http", "chassis", "asyncpg", "email"}
