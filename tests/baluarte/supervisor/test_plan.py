"""Everything wrong is told at once, before the first process starts."""

from pathlib import Path

import pytest

from baluarte.errors import BaluarteError
from baluarte.supervisor.plan import DEFAULT_PORTS, Options, Plan, make_plan
from baluarte.supervisor.rehearsal import rehearse
from chassis.settings import Environment
from tests import servers


def plan_for(
    environ: dict[str, str] | None = None,
    *,
    replicas: dict[str, int] | None = None,
    port: int | None = None,
    taken: tuple[int, ...] = (),
    chaos: bool = False,
    second_word: bool = False,
) -> Plan:
    options = Options(
        Path("/state"), port, replicas or {}, chaos=chaos, chaos_in_production=second_word
    )
    return make_plan(options, environ or {}, port_is_free=lambda number: number not in taken)


def problems_of(*arguments: object, **named: object) -> BaluarteError:
    with pytest.raises(BaluarteError) as refused:
        plan_for(*arguments, **named)  # type: ignore[arg-type]
    return refused.value


def test_nothing_said_means_the_usual_things() -> None:
    """Usual ports, embedded servers, development, demonstration data."""
    plan = plan_for()
    assert plan.ports == DEFAULT_PORTS
    assert (plan.embeds_postgres, plan.embeds_valkey, plan.demo) == (True, True, True)
    assert plan.environment is Environment.DEVELOPMENT
    assert plan.urls("users") == ["http://127.0.0.1:8001"]
    assert plan.wanted == ("users", "ledger", "transactions", "notifications", "bus")


def test_all_problems_come_in_one_list() -> None:
    """Settings, replicas and ports: nobody has to start five times to learn of five mistakes."""
    error = problems_of(
        {
            "BALUARTE_DATABASE_URL": "mysql://x",
            "BALUARTE_REDIS_URL": "http://x",
            "BALUARTE_LEDGER_PORT": "many",
            "BALUARTE_USERS_PORT": "8003",
            "BALUARTE_ENVIRONMENT": "moon",
        },
        replicas={"gateway": 2, "users": 99},
        taken=(8000,),
    )
    assert sorted(error.codes) == [
        "PORT_IN_USE",
        "PORT_TWICE",
        "REPLICAS_INVALID",
        "REPLICAS_INVALID",
        "SETTING_INVALID",
        "SETTING_INVALID",
        "SETTING_INVALID",
        "SETTING_INVALID",
    ]
    assert all(problem.way_out for problem in error.problems)
    assert "--port" in str(error)


def test_the_holder_of_a_port_is_named() -> None:
    """`another process` is no way out when it is known which."""
    with servers.listening() as port, pytest.raises(BaluarteError) as refused:
        make_plan(Options(Path("/state"), port), {})
    text = str(refused.value)
    assert f"port {port}, for gateway" in text


def test_replicas_get_ports_of_their_own_and_clients_learn_of_them() -> None:
    """Three processes, three ports, one list of URLs."""
    plan = plan_for(replicas={"users": 3})
    assert plan.members("users") == ["users", "users-2", "users-3"]
    assert len(set(plan.urls("users"))) == 3
    assert plan.members("ledger") == ["ledger"]


def test_servers_outside_replace_embedded_ones() -> None:
    """With its own PostgreSQL, Valkey and RabbitMQ, nothing is embedded and the bus needs no database."""
    plan = plan_for(
        {
            "BALUARTE_DATABASE_URL": "postgresql://a:b@db/postgres",
            "BALUARTE_REDIS_URL": "redis://cache",
            "BALUARTE_AMQP_URL": "amqp://broker",
        },
        taken=(DEFAULT_PORTS["postgres"], DEFAULT_PORTS["valkey"]),
    )
    assert (plan.embeds_postgres, plan.embeds_valkey) == (False, False)
    assert plan.databases["users"] == "postgresql://a:b@db/baluarte_users"
    assert "bus" not in plan.wanted


def test_a_single_database_outside_leaves_the_rest_embedded() -> None:
    """The ledger on a server of its own, the others on the embedded one."""
    plan = plan_for({"BALUARTE_LEDGER_DATABASE_URL": "postgresql://a:b@db/money"})
    assert plan.embeds_postgres
    assert dict(plan.databases) == {"ledger": "postgresql://a:b@db/money"}
    every = {f"BALUARTE_{name.upper()}_DATABASE_URL": "postgresql://db/x" for name in plan.wanted}
    assert not plan_for(every).embeds_postgres


def test_production_has_no_demonstration() -> None:
    """Known passwords never reach a production database."""
    assert not plan_for({"BALUARTE_ENVIRONMENT": "production"}).demo


def test_addresses_and_passwords_are_not_passed_on() -> None:
    """A process gets what concerns it: no other's database, port or peers by way of our environment."""
    plan = plan_for(
        {
            "BALUARTE_LOG_LEVEL": "DEBUG",
            "BALUARTE_LEDGER_DATABASE_URL": "postgresql://a:b@db/money",
            "BALUARTE_USERS_PORT": "9001",
            "BALUARTE_USERS_URLS": "http://elsewhere",
            "BALUARTE_REDIS_URL": "redis://cache",
            "PATH": "/bin",
        }
    )
    assert plan.passed_on == {"BALUARTE_LOG_LEVEL": "DEBUG"}


def test_production_takes_faults_only_with_a_second_word() -> None:
    """One flag, typed out of habit, must not make production killable; nor does a setting."""
    production = {"BALUARTE_ENVIRONMENT": "production"}
    refused = problems_of(production, chaos=True)
    assert refused.codes == ("CHAOS_IN_PRODUCTION",)
    assert "--chaos-in-production" in str(refused)
    assert plan_for(production, chaos=True, second_word=True).chaos
    assert plan_for(chaos=True).chaos
    assert not plan_for(production, second_word=True).chaos
    assert not plan_for({"BALUARTE_CHAOS": "true"}).chaos


def test_urls_with_passwords_may_come_by_file(tmp_path: Path) -> None:
    """What a file says counts as if it were said, and no process is handed the file's name as well."""
    urls = {
        "BALUARTE_DATABASE_URL": "postgresql://boss:p@db:5432/postgres",
        "BALUARTE_REDIS_URL": "redis://cache:6379/0",
        "BALUARTE_AMQP_URL": "amqp://mq:5672/",
        "BALUARTE_LEDGER_DATABASE_URL": "postgresql://ledger:p@db2:5432/money",
    }
    told = {}
    for name, url in urls.items():
        (tmp_path / name).write_text(url)
        told[f"{name}_FILE"] = str(tmp_path / name)
    plan = plan_for(told)
    assert plan.server_url == urls["BALUARTE_DATABASE_URL"]
    assert (plan.redis_url, plan.amqp_url) == (urls["BALUARTE_REDIS_URL"], "amqp://mq:5672/")
    assert plan.databases["ledger"] == urls["BALUARTE_LEDGER_DATABASE_URL"]
    assert plan.passed_on == {}
    assert rehearse(plan) == []


def test_a_file_that_cannot_be_read_is_one_of_the_problems() -> None:
    """Told with the others, each with its way out."""
    error = problems_of({"BALUARTE_REDIS_URL_FILE": "/none", "BALUARTE_ENVIRONMENT": "moon"})
    assert error.codes == ("SETTING_INVALID", "SETTING_INVALID")
    assert "BALUARTE_REDIS_URL_FILE names /none" in str(error)
    assert all(problem.way_out for problem in error.problems)
