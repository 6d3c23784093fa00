"""compose.yaml is right in what can be told without a Docker daemon."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from baluarte.demo import PRINCIPAL
from baluarte.handout import READERS
from baluarte.migrate import LOCATIONS
from baluarte.supervisor.plan import Options, make_plan
from baluarte.supervisor.rehearsal import rehearse
from chassis.settings import DEFAULT_PORTS
from monitoring.links import LINKS, SERVED
from tests.deploy import composition
from tests.deploy.composition import COMPLETED, HEALTHY, Service, services
from tests.servers import HOUSES, unavailable

PROCESSES = ("gateway", "users", "ledger", "transactions", "notifications")
ONCE = ("secrets", "migrate", "demo")
EVERY = sorted(services())


processes = pytest.mark.parametrize("service", [services()[n] for n in PROCESSES], ids=PROCESSES)
every = pytest.mark.parametrize("service", list(services().values()), ids=lambda s: s.name)


@pytest.fixture(scope="module")
def compose() -> list[str]:
    """docker-compose's own parser, of the machine or from scripts/deploy-tools."""
    own = composition.tool("docker-compose")
    if own is not None:
        return [str(own)]
    try:
        asked = subprocess.run(("docker", "compose", "version"), capture_output=True, check=False)
    except FileNotFoundError:
        asked = None
    if asked is None or asked.returncode != 0:
        unavailable("there is no docker-compose (scripts/deploy-tools)")
    return ["docker", "compose"]


def test_the_published_parser_resolves_it_as_we_read_it(compose: list[str]) -> None:
    """docker-compose accepts the file, and sees the same commands, settings, order and mounts."""
    done = subprocess.run(
        (*compose, "-f", str(composition.FILE), "config", "--format", "json"),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()  # no warning either
    resolved = json.loads(done.stdout)["services"]

    assert sorted(resolved) == EVERY
    for name, service in services().items():
        seen = resolved[name]
        after = {other: how["condition"] for other, how in seen.get("depends_on", {}).items()}
        mounts = {mount["target"]: mount["source"] for mount in seen.get("volumes", ())}
        assert (seen.get("command") or []) == service.command, name
        assert (seen.get("environment") or {}) == service.environment, name
        assert after == service.after, name
        assert {
            m.target: str(HOUSES / m.source[2:]) if m.is_file else m.source for m in service.mounts
        } == mounts, name


def test_slack_takes_one_more_file(compose: list[str], tmp_path: Path) -> None:
    """The override gives Alertmanager the routes of monitoring/ and the address as a secret, or refuses."""
    address = tmp_path / "slack-url"
    address.write_text("https://hooks.slack.example/services/none")
    override = HOUSES / "deploy" / "compose" / "slack.yaml"
    argv = (*compose, "-f", str(composition.FILE), "-f", str(override), "config", "--format=json")
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    refused = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert refused.returncode != 0
    assert "name a file" in refused.stderr

    environment["SLACK_URL_FILE"] = str(address)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    alertmanager = seen["services"]["alertmanager"]
    assert seen["secrets"]["slack_api_url"]["file"] == str(address)
    assert [secret["source"] for secret in alertmanager["secrets"]] == ["slack_api_url"]
    mounts = {mount["target"]: mount["source"] for mount in alertmanager["volumes"]}
    assert mounts == {
        "/etc/alertmanager": str(HOUSES / "monitoring" / "alertmanager"),
        "/alertmanager": "alertmanager-data",
    }


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("depends_on: *with-broker", "depend_on: *with-broker"),
        ("stop_grace_period: 20s", "stop_grace_period: 20"),
        ("networks: [front, back]", "networks: [frnt, back]"),
        ("source: secrets-users, ", "source: secret-users, "),
    ],
)
def test_the_parser_sees_a_slip(compose: list[str], tmp_path: Path, right: str, wrong: str) -> None:
    """A mutant of each kind (a key, a value, a network, a volume) is refused: the check checks."""
    text = composition.FILE.read_text()
    assert right in text
    mutant = tmp_path / "compose.yaml"
    mutant.write_text(text.replace(right, wrong, 1))
    done = subprocess.run(
        (*compose, "-f", str(mutant), "config", "--quiet"), capture_output=True, check=False
    )
    assert done.returncode != 0


def test_it_follows_the_specification_s_schema() -> None:
    """The Compose Specification's own JSON schema, as published with check-jsonschema, accepts it."""
    if composition.tool("check-jsonschema") is None:
        unavailable("check-jsonschema is not installed (scripts/deploy-tools)")
    done = subprocess.run(
        (
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
            str(composition.FILE),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_every_process_and_server() -> None:
    """Each process of ours is a container of its own, beside its servers and its watchers."""
    assert set(EVERY) == {
        *PROCESSES,
        *ONCE,
        *("postgres", "valkey", "rabbitmq"),
        *("prometheus", "alertmanager", "grafana", "jaeger"),
    }
    assert {name for name, service in services().items() if service.ours} == {*PROCESSES, *ONCE}


@processes
def test_each_process_runs_a_module_that_exists(service: Service) -> None:
    """On the port that its peers and the gateway's publication expect."""
    python, flag, module = service.command
    assert (python, flag) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    assert service.environment["BALUARTE_PORT"] == str(DEFAULT_PORTS[service.name])


def test_links_to_runbooks_lead_to_what_grafana_serves() -> None:
    """A committed rule's link is the port that is published and a page among Grafana's static files."""
    grafana = services()["grafana"]
    at = {mount.target: mount.source for mount in grafana.mounts}
    assert at[f"/usr/share/grafana/{SERVED}"] == "./docs/runbooks"
    base = urlsplit(LINKS.runbook("ServiceDown"))
    assert f"127.0.0.1:{base.port}:3000" in grafana.raw["ports"]
    assert base.path == f"/{SERVED}/ServiceDown.md"
    rules = (HOUSES / "monitoring" / "prometheus" / "rules" / "thresholds.yaml").read_text()
    assert f"runbook_url: {base.geturl()}" in rules


@every
def test_every_setting_is_known(service: Service) -> None:
    """No process is told what nothing reads: the check that `baluarte up` makes passes each name."""
    told = frozenset(key for key in service.environment if key.startswith("BALUARTE_"))
    plan = make_plan(Options(HOUSES / ".none"), {}, port_is_free=lambda _: True)
    assert rehearse(replace(plan, told=told)) == []


@every
def test_every_mounted_file_is_in_the_repository(service: Service) -> None:
    """Docker makes a folder of a file that is missing; nobody may write to ours."""
    for mount in service.mounts:
        if mount.is_file:
            assert (HOUSES / mount.source).exists(), mount.source
            assert mount.read_only, mount.source
        else:
            assert mount.source in composition.document()["volumes"]


@every
def test_each_sees_its_own_secrets_only(service: Service) -> None:
    """A volume of secrets is written by `secrets` and read by the one that it is named after."""
    volumes = [mount for mount in service.mounts if mount.source.startswith("secrets-")]
    if service.name == "secrets":
        assert {m.source.removeprefix("secrets-") for m in volumes} == {"master", *READERS}
        assert all(m.target == f"/secrets/{m.source.removeprefix('secrets-')}" for m in volumes)
        return
    reader = "operator" if service.name in {"migrate", "demo"} else service.name
    expected = [f"secrets-{reader}"] if reader in READERS else []
    assert [(m.source, m.target, m.read_only) for m in volumes] == [
        (source, "/run/secrets", True) for source in expected
    ]


def test_no_secret_is_in_the_file() -> None:
    """Passwords and URLs with passwords come by file; no environment and no command has one."""
    for service in services().values():
        for key, value in service.environment.items():
            secret = re.search(r"PASSWORD|SECRET|DATABASE_URL|AMQP|REDIS", key)
            assert not secret or (key.endswith("_FILE") and value.startswith("/run/secrets/")), key
        assert "://" not in " ".join(service.command).replace("=http://127.0.0.1", "")


@every
def test_each_waits_for_a_condition_and_not_for_time(service: Service) -> None:
    """What it depends on is healthy, or has ended well; and what serves can say that it is healthy."""
    for name, condition in service.after.items():
        assert condition == (COMPLETED if services()[name].once else HEALTHY), name
    assert bool(service.health) != service.once


def test_the_gateway_opens_last() -> None:
    """`docker compose up` and the first query: whoever is answered finds everything in place."""
    order = [service.name for service in composition.in_order()]
    gateway = services()["gateway"].after
    assert gateway["demo"] == COMPLETED
    assert set(PROCESSES) - {"gateway"} <= gateway.keys()
    assert order.index("secrets") < order.index("postgres") < order.index("migrate")


@every
def test_everything_has_a_bound(service: Service) -> None:
    """Memory, processors, processes and logs are limited, images pinned, ports on loopback only."""
    limits = service.raw["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert service.raw["logging"]["options"].keys() == {"max-size", "max-file"}
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service.image)
    assert all(str(port).startswith("127.0.0.1:") for port in service.raw.get("ports", ()))
    assert service.raw["restart"] == ("no" if service.once else "unless-stopped")
    assert service.once or "stop_grace_period" in service.raw
    assert "no-new-privileges:true" in service.raw["security_opt"]


@every
def test_what_need_not_write_may_not(service: Service) -> None:
    """Ours, and all servers that start as a user of their own, have a root that is read only."""
    if service.name not in {"postgres", "rabbitmq"}:
        assert service.raw["read_only"] is True
        assert service.raw["cap_drop"] == ["ALL"]
    if service.ours:
        assert service.raw["user"] == "10001:10001"
        assert service.raw["init"] is True


def test_only_the_gateway_is_reached_by_clients() -> None:
    """Databases, cache and services have no way out and no port; the broker's page is for watchers."""
    document = composition.document()
    assert document["networks"]["back"] == {"internal": True}
    published = {name for name, service in services().items() if "ports" in service.raw}
    assert published == {
        "gateway",
        *("rabbitmq", "prometheus", "alertmanager", "grafana", "jaeger"),
    }
    assert services()["rabbitmq"].raw["ports"] == ["127.0.0.1:15672:15672"]
    front = {n for n, s in services().items() if "front" in s.raw.get("networks", ())}
    assert front == {"gateway"}


def test_the_image_is_this_version() -> None:
    """A rebuilt image never passes for another version's."""
    project = tomllib.loads((HOUSES / "pyproject.toml").read_text())["project"]
    assert {s.image for s in services().values() if s.ours} == {f"baluarte:{project['version']}"}


def test_migrations_and_databases_are_told_alike() -> None:
    """Every database but the bus', which RabbitMQ is here, is provided for and handed to its service."""
    databases = set(LOCATIONS) - {"bus"}
    migrate = services()["migrate"].environment
    assert migrate["BALUARTE_DATABASE_URL_FILE"] == "/run/secrets/server-url"
    for name in databases:
        key = f"BALUARTE_{name.upper()}_DATABASE_URL_FILE"
        assert migrate[key] == f"/run/secrets/{name}-database-url"
        assert services()[name].environment[key] == "/run/secrets/database-url"
    assert services()["postgres"].environment["POSTGRES_USER"] == PRINCIPAL
