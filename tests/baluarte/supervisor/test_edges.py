"""Edges: which lines lead through a proxy, where it listens, and what stays direct."""

import json
import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from baluarte.errors import BaluarteError
from baluarte.supervisor.blueprint import Blueprint, draw
from baluarte.supervisor.edges import PORTS, Direct, Proxied, command
from baluarte.supervisor.part import PartSpec
from baluarte.supervisor.plan import PEERS, SERVICES, Options, make_plan
from baluarte.supervisor.rehearsal import _MODULES, _Watched
from chaos.proxy.messages import NewProxy, read

TOKEN = "t" * 32


def _drawn(state: Path, *, chaos: bool, **environ: str) -> Blueprint:
    options = Options(state, replicas={"users": 2}, chaos=chaos)
    plan = make_plan(options, environ, port_is_free=lambda _: True)
    return draw(plan, state / "gate", chaos_token=TOKEN)


def _told(spec: PartSpec) -> dict[str, str]:
    """The addresses that a process is told, each URL of a list by itself."""
    found = {}
    for name, value in spec.prepare().environment.items():
        if name.startswith("BALUARTE_") and "://" in value:
            found.update({f"{name} {n}": url for n, url in enumerate(value.split(","))})
    return found


def _config(blueprint: Blueprint) -> dict[str, NewProxy]:
    (spec,) = (spec for spec in blueprint.foundations if spec.name == "proxies")
    argv = spec.prepare().argv
    path = Path(argv[argv.index("--config") + 1])
    return {each["name"]: NewProxy(**each) for each in json.loads(path.read_text())}


def test_under_chaos_every_address_that_a_process_is_told_is_a_proxys(tmp_path: Path) -> None:
    """A line that is forgotten could take no fault, and nobody would notice: so none may be."""
    blueprint = _drawn(tmp_path, chaos=True)
    listening = {proxy.listen for proxy in _config(blueprint).values()}
    for spec in (*blueprint.services, *blueprint.gateways):
        told = _told(spec)
        assert told, spec.name
        strays = {
            n: u for n, u in told.items() if urlsplit(u).netloc.rpartition("@")[2] not in listening
        }
        assert strays == {}, spec.name


def test_each_process_has_edges_of_its_own(tmp_path: Path) -> None:
    """A fault between the gateway and one replica of users leaves everybody else's way to it alone."""
    blueprint = _drawn(tmp_path, chaos=True)
    names = {edge.name for edge in blueprint.edges}
    assert {"gateway-users", "gateway-users-2", "ledger-users", "users-2-postgres"} <= names
    config = _config(blueprint)
    assert config.keys() == names
    assert len({proxy.listen for proxy in config.values()}) == len(names)
    assert config["gateway-users"].upstream == config["ledger-users"].upstream
    assert config["gateway-users"].upstream != config["gateway-users-2"].upstream


def test_without_chaos_there_is_no_proxy_and_no_token(tmp_path: Path) -> None:
    """What is not asked for does not exist."""
    blueprint = _drawn(tmp_path, chaos=False)
    assert blueprint.edges == ()
    assert "proxies" not in {spec.name for spec in blueprint.specs}
    for spec in (*blueprint.services, *blueprint.gateways):
        environment = spec.prepare().environment
        assert "BALUARTE_CHAOS_TOKEN" not in environment
        assert ":8001" in _told(spec).get("BALUARTE_USERS_URLS 0", ":8001")


def test_production_is_told_the_second_word(tmp_path: Path) -> None:
    """The operator has said it to `up`; without it the processes would refuse the token."""
    options = Options(tmp_path, chaos=True, chaos_in_production=True, demo=False)
    environ = {"BALUARTE_ENVIRONMENT": "production"}
    plan = make_plan(options, environ, port_is_free=lambda _: True)
    blueprint = draw(plan, tmp_path / "gate", chaos_token=TOKEN)
    environment = blueprint.gateways[0].prepare().environment
    assert environment["BALUARTE_CHAOS_TOKEN"] == TOKEN
    assert environment["BALUARTE_CHAOS_IN_PRODUCTION"] == "true"


def test_who_calls_whom_is_what_the_settings_ask() -> None:
    """The table that edges are drawn from cannot forget a peer."""
    import importlib

    modules = {"gateway": "graphql_api.settings", **{n: f"services.{n}.settings" for n in SERVICES}}
    for process, module in modules.items():
        if module not in _MODULES:
            continue  # the ledger reads the common settings alone; tested over the wire
        environ = _Watched({f"BALUARTE_{process.upper()}_DATABASE_URL": "postgresql://h/d"})
        importlib.import_module(module).read(environ)
        asked = {n for n in SERVICES if f"BALUARTE_{n.upper()}_URLS" in environ.asked}
        assert asked == set(PEERS[process]), process


@pytest.mark.parametrize(
    "url",
    [
        "rediss://cache:6379/0",
        "amqps://broker",
        "postgresql://h/d?sslmode=require",
        "unix:///run/valkey",
    ],
)
def test_what_is_encrypted_stays_direct(url: str) -> None:
    """A certificate names the real host, and a socket in the file system has no port."""
    lines = Proxied()
    assert lines.through("users", "postgres", url) == url
    assert lines.edges == {}


def test_login_path_and_query_are_kept() -> None:
    """Only the place changes."""
    lines = Proxied(chance=random.Random(1), port_is_free=lambda _: True)
    url = lines.through("users", "postgres", "postgresql://a:b%40@db/users?sslmode=disable")
    assert (urlsplit(url).path, urlsplit(url).query) == ("/users", "sslmode=disable")
    assert urlsplit(url).netloc.startswith("a:b%40@127.0.0.1:")
    assert '"upstream": "db:5432"' in lines.config()


def test_ports_are_nobodys_and_below_those_of_outgoing_connections() -> None:
    """A proxy that is restarted must find its place free, so the system must not give it away."""
    lines = Proxied(frozenset(PORTS) - {20_001, 20_002}, port_is_free=lambda _: True)
    ports = {urlsplit(lines.through("a", target, "http://h:1")).port for target in ("b", "c")}
    assert ports == {20_001, 20_002}
    with pytest.raises(BaluarteError) as failed:
        lines.through("a", "d", "http://h:1")
    assert failed.value.codes == ("PORTS_TAKEN",)


def test_the_same_line_is_one_edge() -> None:
    """Asking again gives the same proxy."""
    lines = Proxied(port_is_free=lambda _: True)
    assert lines.through("a", "b", "http://h:1") == lines.through("a", "b", "http://h:1")
    assert Direct().through("a", "b", "http://h:1") == "http://h:1"


def test_the_config_is_written_anew_at_each_start_and_for_its_owner_only(tmp_path: Path) -> None:
    """No toxic of an earlier process can come back with a file."""
    lines = Proxied(port_is_free=lambda _: True)
    lines.through("a", "b", "http://h:1")
    argv = command(tmp_path, 8474, lines.config()).argv
    path = Path(argv[argv.index("--config") + 1])
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(path.read_bytes(), list[NewProxy])[0].name == "a-b"
