"""What each process is told, and how it is asked."""

import asyncio
import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from baluarte.supervisor.blueprint import Blueprint, draw, readiness
from baluarte.supervisor.part import PartSpec
from baluarte.supervisor.plan import PEERS, SERVICES, Options, make_plan
from chassis.settings import SERVICES as PROCESSES
from chassis.settings import read_settings
from tests import servers

TOKEN = "a-token-of-this-start"
OUTSIDE = {
    "BALUARTE_DATABASE_URL": "postgresql://a:b@db/postgres",
    "BALUARTE_REDIS_URL": "redis://cache",
    "BALUARTE_AMQP_URL": "amqp://broker",
}
ADDRESS = re.compile(r"(?<=[/@])[\w.\[\]-]+:\d+(?![^/]*@)|(?<=://)[\w.-]+(?=/|$)")
"""Of a URL: what follows the scheme or the login; a login whose password begins with a digit is none."""


def drawn(
    state: Path, environ: dict[str, str] | None = None, *, chaos: bool = False, word: bool = False
) -> Blueprint:
    options = Options(state, replicas={"ledger": 2}, chaos=chaos, chaos_in_production=word)
    plan = make_plan(options, environ or {}, port_is_free=lambda _: True)
    return draw(plan, state / "gate", chaos_token=TOKEN)


def proxies_of(state: Path, blueprint: Blueprint) -> dict[str, tuple[str, str]]:
    """Where each proxy listens, and where it leads."""
    (spec,) = (spec for spec in blueprint.foundations if spec.name == "proxies")
    spec.prepare()
    config = json.loads((state / "proxies.json").read_text())
    return {proxy["name"]: (proxy["listen"], proxy["upstream"]) for proxy in config}


def addresses(told: Mapping[str, str]) -> list[str]:
    """Every address in every setting, whatever its name."""
    settings = (text for name, text in told.items() if name.startswith("BALUARTE_"))
    return [address for text in settings for address in ADDRESS.findall(text)]


def environment(spec: PartSpec) -> dict[str, str]:
    return dict(spec.prepare().environment)


async def test_each_service_knows_its_own_database_only(tmp_path: Path) -> None:
    """Its own and the bus'; the gateway none; nobody the server's."""
    blueprint = drawn(tmp_path)
    for spec in (*blueprint.services, *blueprint.gateways):
        known = {name for name in environment(spec) if name.endswith("DATABASE_URL")}
        service = spec.name.partition("-")[0].upper()
        expected = {f"BALUARTE_{service}_DATABASE_URL", "BALUARTE_BUS_DATABASE_URL"}
        assert known == (set() if spec.name == "gateway" else expected)


async def test_replicas_share_everything_but_the_port(tmp_path: Path) -> None:
    """Clients are given both."""
    specs = {spec.name: spec for spec in drawn(tmp_path).services}
    first, second = environment(specs["ledger"]), environment(specs["ledger-2"])
    assert first.pop("BALUARTE_PORT") != second.pop("BALUARTE_PORT")
    assert first == second
    told = environment(specs["transactions"])
    assert told["BALUARTE_LEDGER_URLS"].count("http://127.0.0.1:") == 2


async def test_servers_outside_are_handed_on(tmp_path: Path) -> None:
    """Their URLs reach the processes as they were given, and no foundation is drawn."""
    blueprint = drawn(
        tmp_path,
        {
            "BALUARTE_DATABASE_URL": "postgresql://a:b@db/postgres?sslmode=require",
            "BALUARTE_REDIS_URL": "redis://cache",
            "BALUARTE_AMQP_URL": "amqp://broker",
        },
    )
    assert blueprint.foundations == ()
    users = environment(blueprint.services[0])
    expected = "postgresql://a:b@db/baluarte_users?sslmode=require"
    assert users["BALUARTE_USERS_DATABASE_URL"] == expected
    assert users["BALUARTE_AMQP_URL"] == "amqp://broker"
    assert "BALUARTE_BUS_DATABASE_URL" not in users


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_is_told_of_whom_it_calls(
    process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its own settings ask for: an address that nobody tells it would be a default, past any proxy."""
    asked: set[str] = set()

    def note(*arguments: object, **named: object) -> object:
        asked.update(named.get("peers", ()))  # type: ignore[arg-type]
        raise _Noted

    where = {"gateway": "graphql_api.settings", "ledger": "services.ledger.app"}
    name = where.get(process, f"services.{process}.settings")
    module = importlib.import_module(name)
    assert module.read_settings is read_settings
    monkeypatch.setattr(module, "read_settings", note)
    with pytest.raises(_Noted):
        _read(module)
    assert asked == set(PEERS[process])


class _Noted(Exception):
    pass


def _read(module: object) -> None:
    if hasattr(module, "read"):
        module.read({})
    else:
        asyncio.run(module.compose({}))  # type: ignore[attr-defined]


@pytest.mark.parametrize("environ", [{}, OUTSIDE], ids=["embedded", "outside"])
def test_under_chaos_every_address_is_a_proxys(tmp_path: Path, environ: dict[str, str]) -> None:
    """Of every process, in every setting: there is no way past a fault; each edge leads to one place."""
    blueprint = drawn(tmp_path, environ, chaos=True)
    proxies = proxies_of(tmp_path, blueprint)
    used: list[str] = []
    for spec in (*blueprint.services, *blueprint.gateways):
        own = {listen for name, (listen, _) in proxies.items() if name.startswith(f"{spec.name}-")}
        found = addresses(environment(spec))
        assert found, spec.name
        assert set(found) <= own, spec.name
        used += found
    assert sorted(used) == sorted(listen for listen, _ in proxies.values())
    assert {edge.name for edge in blueprint.edges} == set(proxies)
    assert blueprint.left_out == ()


def test_an_address_in_a_file_leads_through_a_proxy_too(tmp_path: Path) -> None:
    """The process is told the proxy, and never of the file."""
    secret = tmp_path / "redis-url"
    secret.write_text("redis://:secret@cache:6380/1")
    blueprint = drawn(tmp_path, {"BALUARTE_REDIS_URL_FILE": str(secret)}, chaos=True)
    (gateway,) = blueprint.gateways
    told, (listen, upstream) = (
        environment(gateway),
        proxies_of(tmp_path, blueprint)["gateway-valkey"],
    )
    assert upstream == "cache:6380"
    assert told["BALUARTE_REDIS_URL"] == f"redis://:secret@{listen}/1"
    assert "BALUARTE_REDIS_URL_FILE" not in told


def test_the_edges_are_those_of_the_picture(tmp_path: Path) -> None:
    """Each process to whom it calls, its own database, the bus and the cache; replicas by themselves."""
    proxies = proxies_of(tmp_path, drawn(tmp_path, chaos=True))
    members = {"ledger": ("ledger", "ledger-2")}
    expected = {
        f"{source}-{target}"
        for process, peers in PEERS.items()
        for source in members.get(process, (process,))
        for target in (
            *(member for peer in peers for member in members.get(peer, (peer,))),
            *(("postgres", "bus") if process in SERVICES else ()),
            "valkey",
        )
    }
    assert set(proxies) == expected
    assert proxies["gateway-ledger-2"][1] == proxies["users-ledger-2"][1]
    assert proxies["users-postgres"][1] == proxies["users-bus"][1] == "127.0.0.1:8032"
    assert proxies["gateway-valkey"][1] == "127.0.0.1:8079"


def test_with_rabbitmq_the_bus_is_the_broker(tmp_path: Path) -> None:
    """The edge keeps its name, so that a fault is for the bus whatever carries it."""
    proxies = proxies_of(tmp_path, drawn(tmp_path, OUTSIDE, chaos=True))
    assert proxies["users-bus"][1] == "broker:5672"
    assert proxies["users-postgres"][1] == "db:5432"
    assert "gateway-bus" not in proxies


def test_what_checks_a_certificate_is_told_to_be_without_a_proxy(tmp_path: Path) -> None:
    """Its address stays, and the blueprint names the edges that nothing can be done to."""
    blueprint = drawn(tmp_path, OUTSIDE | {"BALUARTE_REDIS_URL": "rediss://cache"}, chaos=True)
    users = environment(blueprint.services[0])
    assert users["BALUARTE_REDIS_URL"] == "rediss://cache"
    assert "users-valkey" in blueprint.left_out
    assert "users-valkey" not in {edge.name for edge in blueprint.edges}


def test_the_supervisor_itself_goes_direct(tmp_path: Path) -> None:
    """Migrations are told the servers; a fault in an edge cannot spoil a start."""
    plain, chaotic = drawn(tmp_path), drawn(tmp_path, chaos=True)
    assert plain.databases == chaotic.databases
    listens = {f"http://{listen}" for listen, _ in proxies_of(tmp_path, chaotic).values()}
    assert not listens & {spec.url for spec in chaotic.specs}


def test_the_fault_points_are_opened_under_chaos_alone(tmp_path: Path) -> None:
    """With the token of this start and a folder for policies; no setting of the operator's opens one."""
    operator = {
        "BALUARTE_CHAOS_TOKEN": "x" * 20,
        "BALUARTE_CHAOS_TOKEN_FILE": str(tmp_path / "token"),
        "BALUARTE_CHAOS_IN_PRODUCTION": "on",
    }
    for spec in drawn(tmp_path, operator).services:
        assert not any("CHAOS" in name for name in environment(spec))
        assert "BALUARTE_POLICIES_DIR" not in environment(spec)
    for spec in drawn(tmp_path, operator, chaos=True).services:
        told = environment(spec)
        assert told["BALUARTE_CHAOS_TOKEN"] == TOKEN
        assert "BALUARTE_CHAOS_TOKEN_FILE" not in told
        assert told["BALUARTE_POLICIES_DIR"] == str(tmp_path / "policies")
        assert "BALUARTE_CHAOS_IN_PRODUCTION" not in told


def test_the_operators_choices_are_kept(tmp_path: Path) -> None:
    """A policies folder of their own, and the second word for production, which the processes want too."""
    environ = {"BALUARTE_POLICIES_DIR": str(tmp_path), "BALUARTE_ENVIRONMENT": "production"}
    (gateway,) = drawn(tmp_path, environ, chaos=True, word=True).gateways
    told = environment(gateway)
    assert told["BALUARTE_POLICIES_DIR"] == str(tmp_path)
    assert told["BALUARTE_CHAOS_IN_PRODUCTION"] == "true"


def test_without_chaos_there_is_no_proxy(tmp_path: Path) -> None:
    """No part, no edge, and each process is told the addresses of the parts themselves."""
    blueprint = drawn(tmp_path)
    assert "proxies" not in {spec.name for spec in blueprint.specs}
    assert blueprint.edges == ()
    (gateway,) = blueprint.gateways
    assert environment(gateway)["BALUARTE_USERS_URLS"] == "http://127.0.0.1:8001"


async def test_no_answer_is_a_no() -> None:
    """A closed port, and a server that says nothing at all, are not ready; the probe is bounded."""
    assert not await readiness(1)()
    with servers.listening() as port:
        assert not await readiness(port)()
