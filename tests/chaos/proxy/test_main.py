"""`python -m chaos.proxy`: its options, its exit codes, and that leases need nobody."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.chaos.proxy.running import HOUSES, running_proxy
from tests.waiting import eventually_sync

NOBODY = "127.0.0.1:9"


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
        return json.loads(answer.read() or b"null")


def outcome(*options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "chaos.proxy", *options],
        capture_output=True,
        text=True,
        cwd=HOUSES,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_it_serves_the_proxies_of_a_file(tmp_path: Path) -> None:
    """The proxies of --config are there from the start, and a SIGTERM ends it with code 0."""
    config = tmp_path / "proxies.json"
    config.write_text(json.dumps([{"name": "p", "upstream": NOBODY}]))

    with running_proxy("--config", str(config), "--seed", "7") as running:
        assert running.seed == 7
        proxies = ask(f"{running.url}/proxies")

    assert proxies["p"]["enabled"] is True


def test_a_wrong_file_is_told_and_nothing_starts(tmp_path: Path) -> None:
    """A file with a proxy that is not valid: exit code 2 and the reason, without a traceback."""
    config = tmp_path / "proxies.json"
    config.write_text('[{"name": "p"}]')

    code, said = outcome("--port", "0", "--config", str(config))

    assert code == 2
    assert "error: missing required field: upstream at proxy 1" in said
    assert "Traceback" not in said


def test_a_taken_port_is_told() -> None:
    """When the API's port is taken: exit code 2 and the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = outcome("--port", str(port))

    assert code == 2
    assert f"127.0.0.1:{port}: address already in use" in said


def test_a_lease_outlives_whoever_applied_it() -> None:
    """What was applied by a process that was then killed is gone when its lease ends."""
    apply = (
        "import json, sys, time, urllib.request as r;"
        "r.urlopen(r.Request(sys.argv[1], json.dumps("
        "{'type': 'timeout', 'lease_seconds': 1}).encode()));"
        "print('applied', flush=True); time.sleep(60)"
    )
    with running_proxy() as running:
        ask(f"{running.url}/proxies", {"name": "p", "upstream": NOBODY})
        with subprocess.Popen(
            [sys.executable, "-c", apply, f"{running.url}/proxies/p/toxics"],
            stdout=subprocess.PIPE,
            text=True,
        ) as engine:
            assert engine.stdout is not None
            assert engine.stdout.readline() == "applied\n"
            engine.send_signal(signal.SIGKILL)
        assert len(ask(f"{running.url}/proxies/p/toxics")) <= 1

        eventually_sync(lambda: ask(f"{running.url}/proxies/p/toxics") == [], 10)
