"""The command line by itself: help, errors with a way out, exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from baluarte import migrate
from baluarte.cli import main
from baluarte.supervisor.logfiles import LogFile
from baluarte.terminal import EXIT_NOT_RUNNING, EXIT_PROBLEM
from tests import servers
from tests.baluarte.platforms import free_ports


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


@pytest.mark.parametrize("command", ["up", "status", "logs", "migrate", "chaos", "secrets", "demo"])
def test_each_command_explains_itself(command: str) -> None:
    """--help and -h say what it does; the group's help lists it."""
    assert run(command, "-h").exit_code == 0
    assert len(run(command, "--help").output.splitlines()) > 4
    assert command in run("--help").output


def test_the_version_is_the_project_s() -> None:
    """From a checkout too."""
    project = (servers.HOUSES / "pyproject.toml").read_text()
    version = run("--version").output.split()[1]
    assert f'version = "{version}"' in project


def test_wrong_usage_is_2(tmp_path: Path) -> None:
    """With the right form in the message."""
    refused = run("up", "--replicas", "users")
    assert refused.exit_code == 2
    assert "users=2" in refused.output
    assert run("up", "--port", "0").exit_code == 2


def test_status_without_a_platform(tmp_path: Path) -> None:
    """Exit code 3, and how to start one."""
    answer = run("status", "--state-dir", str(tmp_path / "none"))
    assert answer.exit_code == EXIT_NOT_RUNNING
    assert "NOT_RUNNING" in answer.output
    assert "baluarte up" in answer.output


def test_up_tells_all_problems_and_starts_nothing(tmp_path: Path) -> None:
    """One list on standard error, exit code 1, no data directory made."""
    with servers.listening() as port:
        refused = run(
            "up",
            "--state-dir",
            str(tmp_path / "state"),
            "--port",
            str(port),
            BALUARTE_REDIS_URL="mysql://x",
            BALUARTE_AMQP_URL="nonsense",
        )
    assert refused.exit_code == EXIT_PROBLEM
    assert refused.output.count("SETTING_INVALID") == 2
    assert "PORT_IN_USE" in refused.output
    assert not (tmp_path / "state" / "postgres").exists()


def test_up_reads_every_process_settings_before_it_starts_one(tmp_path: Path) -> None:
    """A service's own settings are told by `up`, not by a process that ends again and again."""
    ports = free_ports()
    refused = run(
        "up",
        "--state-dir",
        str(tmp_path / "state"),
        **ports,
        BALUARTE_RATE_LIMIT="none",
        BALUARTE_NOTIFICATIONS_CHANNELS="pigeon",
        BALUARTE_USERS_HASHING_QUEUE="-1",
    )
    assert refused.exit_code == EXIT_PROBLEM
    assert refused.output.count("SETTING_INVALID") == 3, refused.output
    assert not (tmp_path / "state" / "postgres").exists()


def test_logs_of_nothing_and_of_nobody(tmp_path: Path) -> None:
    """What is missing is named, and what there is."""
    nothing = run("logs", "--state-dir", str(tmp_path))
    assert (nothing.exit_code, "NO_LOGS" in nothing.output) == (EXIT_PROBLEM, True)
    log = LogFile(tmp_path / "logs" / "users.log", "users")
    log.say("hello", correlationId="abc")
    log.finish()
    nobody = run("logs", "nobody", "--state-dir", str(tmp_path))
    assert (nobody.exit_code, "choose among users" in nobody.output) == (EXIT_PROBLEM, True)


def test_logs_for_people_and_for_programs(tmp_path: Path) -> None:
    """A readable line, or the line as it was written; filtered by correlation id."""
    log = LogFile(tmp_path / "logs" / "users.log", "users")
    log.say("hello", correlationId="abc")
    log.say("other", correlationId="xyz")
    log.finish()
    state = ("--state-dir", str(tmp_path))
    assert "users         hello" in run("logs", *state).output
    lines = run("logs", "users", "--json", "--correlation", "abc", *state).output.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["hello"]


def test_migrate_without_a_database() -> None:
    """The settings that it needs are named."""
    names = {f"BALUARTE_{name.upper()}_DATABASE_URL": "" for name in migrate.LOCATIONS}
    answer = run("migrate", BALUARTE_DATABASE_URL="", **names)
    assert answer.exit_code == EXIT_PROBLEM
    assert "DATABASE_URL_MISSING" in answer.output


CHAOS = {
    "stop": [],
    "faults": [],
    "kill": ["users"],
    "pause": ["users", "--seconds", "3"],
    "hold": ["users"],
    "slow-start": ["users", "--delay", "2"],
    "toxic": ["gateway-users", "latency", "latency=300"],
    "down": ["gateway-users"],
    "inject": ["users", "latency", "seconds=2", "--percent", "30"],
}


@pytest.mark.parametrize("command", list(CHAOS))
def test_each_fault_has_a_command(command: str, tmp_path: Path) -> None:
    """It explains itself, and says with its exit code that nothing runs that it could reach."""
    assert len(run("chaos", command, "--help").output.splitlines()) > 4
    answer = run("chaos", command, *CHAOS[command], "--state-dir", str(tmp_path / "none"))
    assert answer.exit_code == EXIT_NOT_RUNNING
    assert "NOT_RUNNING" in answer.output


def test_an_attribute_has_a_name_and_a_value() -> None:
    """With the right form in the message; numbers are numbers, everything else is text."""
    refused = run("chaos", "toxic", "gateway-users", "latency", "300")
    assert refused.exit_code == 2
    assert "latency=300" in refused.output


def test_chaos_in_production_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """With the option that would allow it in the message, and no state left behind."""
    state = ("--state-dir", str(tmp_path / "state"))
    refused = run("up", "--chaos", *state, BALUARTE_ENVIRONMENT="production", **free_ports())
    assert refused.exit_code == EXIT_PROBLEM
    assert "CHAOS_IN_PRODUCTION" in refused.output
    assert "--chaos-in-production" in refused.output
    assert not (tmp_path / "state" / "postgres").exists()


def test_migrations_pass_the_bus_over_where_a_broker_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """With BALUARTE_AMQP_URL, by value or by file, no database is wanted for events."""
    asked: list[tuple[str, ...]] = []

    async def migrate_all(_: object, services: tuple[str, ...]) -> dict[str, migrate.Migrated]:
        asked.append(services)
        return {}

    monkeypatch.setattr(migrate, "migrate_all", migrate_all)
    assert run("migrate").exit_code == 0
    assert run("migrate", BALUARTE_AMQP_URL="amqp://mq/").exit_code == 0
    assert "bus" in asked[0]
    assert asked[1] == tuple(name for name in asked[0] if name != "bus")


def test_demonstration_data_are_not_for_production(tmp_path: Path) -> None:
    """Nothing is loaded, nobody is asked, and that is no failure."""
    done = run("demo", BALUARTE_ENVIRONMENT="production", BALUARTE_KEYS_DIR=str(tmp_path))
    assert done.exit_code == 0
    assert "no demonstration data in production" in done.output


def test_demonstration_data_without_a_key_are_told(tmp_path: Path) -> None:
    """The key that is missing, by its name and with the way out."""
    refused = run("demo", BALUARTE_KEYS_DIR=str(tmp_path))
    assert refused.exit_code == EXIT_PROBLEM
    assert "SETTING_INVALID" in refused.output
    assert "baluarte.pem" in refused.output
