"""What each process is told, and how it is asked."""

from pathlib import Path

from baluarte.supervisor.blueprint import Blueprint, draw, readiness
from baluarte.supervisor.part import PartSpec
from baluarte.supervisor.plan import Options, make_plan
from tests import servers


def drawn(state: Path, environ: dict[str, str] | None = None) -> Blueprint:
    options = Options(state, replicas={"ledger": 2})
    return draw(make_plan(options, environ or {}, port_is_free=lambda _: True), state / "gate")


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
    assert environment(specs["users"])["BALUARTE_LEDGER_URLS"].count("http://127.0.0.1:") == 2


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


async def test_no_answer_is_a_no() -> None:
    """A closed port, and a server that says nothing at all, are not ready; the probe is bounded."""
    assert not await readiness(1)()
    with servers.listening() as port:
        assert not await readiness(port)()
