"""SIGKILL of a real engine with faults in a real proxy: no fault outlives its lease."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.chaos.engine.doomed import LEASE_SECONDS
from tests.chaos.proxy.running import running_proxy
from tests.waiting import eventually_sync

HOUSES = Path(__file__).resolve().parents[3]


def proxies(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/proxies") as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_a_killed_engine_leaves_no_fault(tmp_path: Path) -> None:
    """While it lives its leases are renewed, several times over; once it is dead they end by themselves."""
    config = tmp_path / "proxies.json"
    names = ("users-postgres", "users-valkey")
    config.write_text(json.dumps([{"name": name, "upstream": "127.0.0.1:1"} for name in names]))
    with running_proxy("--config", str(config)) as proxy:
        engine = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.engine.doomed", proxy.url], cwd=HOUSES
        )
        try:

            def both() -> bool:
                found = proxies(proxy.url)
                return (
                    bool(found["users-postgres"]["toxics"]) and not found["users-valkey"]["enabled"]
                )

            eventually_sync(both, why="both faults are in place")
            alive_until = time.monotonic() + 2 * LEASE_SECONDS
            while time.monotonic() < alive_until:
                assert both()
                time.sleep(0.1)
            engine.kill()
            killed = time.monotonic()

            def none() -> bool:
                found = proxies(proxy.url)
                return not found["users-postgres"]["toxics"] and found["users-valkey"]["enabled"]

            eventually_sync(none, LEASE_SECONDS + 5, why="the leases are over")
            assert time.monotonic() - killed < LEASE_SECONDS + 2
        finally:
            engine.kill()
            engine.wait()
