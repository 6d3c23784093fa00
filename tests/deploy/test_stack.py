"""What compose.yaml says is carried out, process by process, and answers the README's first query."""

import asyncio
import base64
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml
from asyncpg.exceptions import InsufficientPrivilegeError

from baluarte import databases
from tests.deploy.composition import services
from tests.deploy.stack import Stack, up
from tests.servers import HOUSES, reachable_directory, unavailable

PROCESSES = ("gateway", "users", "ledger", "transactions", "notifications")
README_QUERIES = re.findall(r"```graphql\n(.*?)```", (HOUSES / "README.md").read_text(), re.DOTALL)

PROMETHEUS = HOUSES / "monitoring" / "prometheus" / "prometheus.compose.yml"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The whole file, carried out once for these tests."""
    with reachable_directory("compose") as directory, up(directory) as running:
        yield running


def get(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def ask(stack: Stack, query: str, token: str | None = None) -> Any:
    """What the gateway answers to `query`; errors fail the test."""
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    url = f"http://127.0.0.1:{stack.port('gateway', 8000)}/graphql"
    status, content = get(url, json.dumps({"query": query}).encode(), **headers)
    answer = json.loads(content)
    assert status == 200
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    """Ana's, by the README's own words."""
    login, *_ = README_QUERIES
    return str(ask(stack, login)["login"]["accessToken"])


def test_the_readme_s_first_query_is_answered(stack: Stack, token: str) -> None:
    """After `docker compose up` and nothing else: Ana is signed in and sees her balance and history."""
    _, first, *_ = README_QUERIES
    me = ask(stack, first, token)["me"]
    assert me["name"] == "Ana Lima"
    assert me["account"]["balance"] == {"amount": "2995.50", "currency": "BRL"}
    assert len(me["transactions"]["edges"]) == 4


async def test_events_travel_over_the_broker(stack: Stack, token: str) -> None:
    """With a broker user each, bound to our names, outboxes are relayed and Ana is told of her deposit."""
    deposit = next(query for query in README_QUERIES if "deposit(" in query)
    assert ask(stack, deposit, token)["deposit"]["status"] == "COMPLETED"
    told = "{ notifications(first: 20) { edges { node { body } } } }"
    async with asyncio.timeout(30):
        while "R$ 100,00" not in json.dumps(ask(stack, told, token)):
            await asyncio.sleep(1)  # seldom: the gateway counts our requests


async def test_each_service_reaches_its_own_database_only(stack: Stack) -> None:
    """The ledger's role owns its database, may not open another's, and makes nothing on the server."""
    url = (stack.secrets("ledger") / "database-url").read_text()
    async with databases.connection(url, ssl=False) as own:
        assert await own.fetchval("SELECT count(*) FROM accounts") > 0
        with pytest.raises(InsufficientPrivilegeError):
            await own.execute("CREATE DATABASE mine")
    other = urlunsplit(urlsplit(url)._replace(path="/baluarte_users"))
    with pytest.raises(InsufficientPrivilegeError):
        await databases.open_connection(other, ssl=False)


def test_set_up_again_changes_nothing(stack: Stack, token: str) -> None:
    """A second `up` runs the one-shots on what is there: the same secrets, revisions and balances."""
    before = {
        path: path.read_bytes() for path in stack.directory.glob("secrets-*/*") if path.is_file()
    }
    balance = "{ me { account { balance { amount } } } }"
    had = ask(stack, balance, token)

    stack.run_once("secrets")
    migrated = stack.run_once("migrate")
    stack.run_once("demo")

    assert all("→" not in line for line in migrated.splitlines())
    assert {path: path.read_bytes() for path in before} == before
    assert ask(stack, balance, token) == had


def test_no_password_is_in_a_process_environment(stack: Stack) -> None:
    """What `docker inspect` or /proc would show of a process names files, never what is in them."""
    passwords = [path.read_text() for path in stack.secrets("master").glob("*-password")]
    assert len(passwords) > 10
    for name in PROCESSES:
        pid = stack.processes[name].pid
        shown = Path(f"/proc/{pid}/environ").read_text() + Path(f"/proc/{pid}/cmdline").read_text()
        assert not [password for password in passwords if password in shown], name


def test_every_health_check_notices_an_end(stack: Stack) -> None:
    """The check of a process that runs is content, and that of a port where nobody listens is not."""
    assert all(stack.is_healthy(name) for name in PROCESSES)
    nobody = Stack(stack.directory)
    assert not nobody.is_healthy("gateway")


def test_every_scrape_target_answers(stack: Stack) -> None:
    """Prometheus would find metrics at each address that its file names, the broker's included."""
    configuration = yaml.safe_load(PROMETHEUS.read_text())
    found = set()
    for job in configuration["scrape_configs"]:
        for group in job["static_configs"]:
            name, port = group["targets"][0].split(":")
            assert group["labels"]["service"] == job["job_name"]
            if job["job_name"] in {*PROCESSES, "rabbitmq"}:
                assert name == job["job_name"]
                status, text = get(f"http://127.0.0.1:{stack.port(name, int(port))}/metrics")
                assert status == 200
                assert b"# TYPE" in text
                found.add(name)
    assert found == {*PROCESSES, "rabbitmq"}


def test_prometheus_and_alertmanager_accept_their_files() -> None:
    """promtool and amtool have nothing to say about what is mounted."""
    for argv in (
        ("promtool", "check", "config", str(PROMETHEUS)),
        ("amtool", "check-config", "deploy/compose/alertmanager.yml"),
    ):
        try:
            done = subprocess.run(argv, cwd=HOUSES, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            unavailable(f"{argv[0]} is not installed")
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_broker_s_operator_sees_its_pages(stack: Stack) -> None:
    """The management plugin is on, for the operator's password and nobody's guess."""
    url = f"http://127.0.0.1:{stack.port('rabbitmq', 15672)}/api/queues"
    password = (stack.secrets("operator") / "rabbitmq-password").read_text()
    basic = base64.b64encode(f"operator:{password}".encode()).decode()
    status, content = get(url, Authorization=f"Basic {basic}")
    assert status == 200
    assert any(queue["name"].startswith("baluarte.") for queue in json.loads(content))
    guest = base64.b64encode(b"guest:guest").decode()
    assert get(url, Authorization=f"Basic {guest}")[0] == 401


def test_each_process_ends_within_its_grace(stack: Stack) -> None:
    """SIGTERM ends every process by itself, well before a container would be killed."""
    for name in PROCESSES:
        began = time.monotonic()
        assert stack.end(name) in {0, -signal.SIGTERM}, name
        grace = float(services()[name].raw["stop_grace_period"].removesuffix("s"))
        assert time.monotonic() - began < grace
