"""Each connection gets a proxy and a port of its own, unless none can stand there unnoticed."""

import json
import random
import sys
from pathlib import Path

import pytest

from baluarte.errors import BaluarteError
from baluarte.supervisor import edges
from baluarte.supervisor.edges import PORTS, Proxied


def proxied(*taken: int, free: bool = True) -> Proxied:
    return Proxied(frozenset(taken), lambda _: free, random.Random(1))


def listens(made: Proxied) -> dict[str, str]:
    return {proxy["name"]: proxy["listen"] for proxy in json.loads(made.config())}


def upstreams(made: Proxied) -> dict[str, str]:
    return {proxy["name"]: proxy["upstream"] for proxy in json.loads(made.config())}


@pytest.mark.parametrize(
    ("url", "upstream"),
    [
        ("http://127.0.0.1:8001", "127.0.0.1:8001"),
        ("postgresql://a:p%40ss@db.internal/x?sslmode=disable", "db.internal:5432"),
        ("postgresql://a:b@db:6000/x?sslmode=require", "db:6000"),
        ("redis://:secret@cache/0", "cache:6379"),
        ("amqp://a:b@[::1]/vhost", "[::1]:5672"),
    ],
)
def test_only_the_address_of_a_url_changes(url: str, upstream: str) -> None:
    """Login, path and options stay as they were given; the proxy leads where the URL led."""
    made = proxied()
    told = made.through("users", "it", url)
    assert upstreams(made) == {"users-it": upstream}
    listen = listens(made)["users-it"]
    assert told.replace(listen, "there") == url.replace(upstream, "there").replace(
        upstream.rpartition(":")[0], "there"
    )
    assert [(edge.source, edge.target) for edge in made.edges] == [("users", "it")]


@pytest.mark.parametrize(
    "url",
    [
        "rediss://cache:6379",
        "amqps://mq.internal",
        "https://users.internal",
        "postgresql://a:b@db/x?sslmode=verify-full",
        "unix:///run/valkey.sock",
    ],
)
def test_what_would_notice_a_proxy_stays_direct(url: str) -> None:
    """A certificate names its host and a socket has no port: the URL is left alone, and it is told."""
    made = proxied()
    assert made.through("users", "it", url) == url
    assert made.left_out == ["users-it"]
    assert made.edges == ()


def test_no_two_proxies_share_a_port() -> None:
    """Nor does one take a part's, however many there are."""
    taken = range(PORTS.start, PORTS.stop, 2)
    made = proxied(*taken)
    for number in range(200):
        made.through("users", str(number), "http://127.0.0.1:1")
    found = [int(listen.rpartition(":")[2]) for listen in listens(made).values()]
    assert len(set(found)) == 200
    assert not set(found) & set(taken)


def test_without_a_free_port_it_is_told() -> None:
    """Looking for one has an end, with a code and a way out."""
    with pytest.raises(BaluarteError, match="without --chaos") as refused:
        proxied(free=False).through("users", "it", "http://127.0.0.1:1")
    assert refused.value.codes == ("PORTS_TAKEN",)


def test_the_proxies_start_without_faults_and_with_a_lease(tmp_path: Path) -> None:
    """Each start reads the same proxies and no toxic; no client can leave a fault there for ever."""
    made = proxied()
    made.through("users", "ledger", "http://127.0.0.1:8002")
    command = edges.command(tmp_path, 8474, made.config(), {})
    assert command.argv[:4] == (sys.executable, "-P", "-m", "chaos.proxy")
    assert command.argv[-2:] == ("--default-lease", "600")
    config = tmp_path / "proxies.json"
    assert str(config) in command.argv
    assert [set(proxy) for proxy in json.loads(config.read_text())] == [
        {"name", "listen", "upstream"}
    ]
    assert config.stat().st_mode & 0o777 == 0o600
