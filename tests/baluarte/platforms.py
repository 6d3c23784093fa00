"""`baluarte up` as a process of its own, on free ports, for tests that play the operator."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baluarte.embedded import processes
from baluarte.embedded.ports import free_port
from baluarte.supervisor.plan import DEFAULT_PORTS
from tests import servers

READY_SECONDS = 150.0  # a first start on a machine that runs other tests
STOP_SECONDS = 30.0


def free_ports() -> dict[str, str]:
    """Settings that put every part on a free port."""
    ports: set[int] = set()
    while len(ports) < len(DEFAULT_PORTS):
        ports.add(free_port())
    return {
        f"BALUARTE_{part.upper()}_PORT": str(port)
        for part, port in zip(DEFAULT_PORTS, sorted(ports), strict=True)
    }


@dataclass
class Platform:
    """One state directory and the `baluarte` commands on it."""

    state: Path
    settings: Mapping[str, str] = field(default_factory=free_ports)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("BALUARTE_")}
        clean.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**clean, "PYTHONPATH": str(servers.HOUSES), **self.settings}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['BALUARTE_GATEWAY_PORT']}"

    def command(self, name: str, *arguments: str) -> list[str]:
        """`baluarte NAME …` on this platform; a name of two words is a group's command."""
        state = [] if name == "migrate" else ["--state-dir", str(self.state)]
        return [sys.executable, "-P", "-m", "baluarte", *name.split(), *state, *arguments]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            self.command(name, *arguments),
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def _output(self) -> Path:
        return self.state.with_name("output.txt")

    def start(self, *arguments: str) -> None:
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command("up", *arguments),
                env=self.environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> float:
        """Seconds until it said that it is ready, by its own measure."""
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while (said := re.search(r"Baluarte is ready \(([\d.]+) s\)", self.output)) is None:
            alive = self.process.poll() is None and time.monotonic() < deadline
            assert alive, f"not ready:\n{self.output}"
            time.sleep(0.05)
        return float(said.group(1))

    def interrupt(self) -> tuple[int, float]:
        """Ctrl-C; the exit code and the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS), time.monotonic() - began

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.process is None:
            return
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.interrupt()
        left = self.family()
        self.process.kill()
        self.process.wait(5)
        processes.send(left, signal.SIGKILL)

    def family(self) -> list[int]:
        """The pids below the supervisor."""
        return sorted(processes.families([self.process.pid])) if self.process is not None else []

    def parts(self) -> dict[str, dict[str, Any]]:
        """What `baluarte status --json` says of each part."""
        answer = self.run("status", "--json")
        assert answer.returncode == 0, answer.stderr
        return {part["name"]: part for part in json.loads(answer.stdout)["parts"]}

    def ask(self, query: str, token: str | None = None) -> dict[str, Any]:
        """A GraphQL answer of the gateway."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextlib.contextmanager
def platform() -> Iterator[Platform]:
    """A platform that is ended with the block; not started yet."""
    with servers.reachable_directory("platform") as directory:
        made = Platform(directory / "state")
        try:
            yield made
        finally:
            made.end()
