"""What the supervisor tells Prometheus."""

import re
from typing import Any

from baluarte.supervisor.measures import Measures, service_of
from chassis.faults.contract import MAX_EXPERIMENTS


def part(name: str, state: str = "ready", *kinds: str, restarts: int = 0) -> dict[str, Any]:
    faults = [{"kind": kind} for kind in kinds]
    return {"name": name, "state": state, "restarts": restarts, "faults": faults}


def test_faults_are_told_of_the_service_and_end_with_a_zero() -> None:
    """A fault in a replica is one in its service; when it ends, the series says so and stays."""
    parts = [part("users"), part("users-2", "held down", "hold_down", restarts=3)]
    measures = Measures(lambda: {"parts": parts})
    during = measures.page("")[0].decode()
    parts[1] = part("users-2")
    after = measures.page("")[0].decode()

    series = 'chaos_fault_active{experiment="none",fault="hold_down",service="users"}'
    assert f"{series} 1.0" in during
    assert f"{series} 0.0" in after
    assert 'supervisor_part_ready{part="users-2"} 0.0' in during
    assert 'supervisor_part_restarts{part="users-2"} 3.0' in during
    assert 'supervisor_part_ready{part="users-2"} 1.0' in after


def test_faults_are_told_by_experiment_in_bounded_number() -> None:
    """Each has its own series, however faults of one service are called; late ones share `other`."""
    users = part("users", "paused", "pause", "slow_start")
    users["faults"][0]["experiment"] = "users-paused.0"
    measures = Measures(lambda: {"parts": [users]})
    page = measures.page("")[0].decode()
    assert 'chaos_fault_active{experiment="users-paused.0",fault="pause",service="users"} 1' in page
    assert 'chaos_fault_active{experiment="none",fault="slow_start",service="users"} 1' in page

    for number in range(MAX_EXPERIMENTS):
        users["faults"][0]["experiment"] = f"later-{number}"
        page = measures.page("")[0].decode()
    found = set(re.findall(r'chaos_fault_active\{experiment="([^"]+)"', page))
    assert len(found) == MAX_EXPERIMENTS + 1
    assert "other" in found


def test_without_faults_there_are_no_series_of_them() -> None:
    """A platform that takes none has parts whose snapshot does not speak of faults."""
    measures = Measures(lambda: {"parts": [{"name": "users", "state": "ready", "restarts": 0}]})
    assert "chaos_fault_active{" not in measures.page("")[0].decode()


def test_replicas_belong_to_their_service() -> None:
    """`users-2` is users; a name with a dash and no number is itself."""
    assert [service_of(name) for name in ("users-2", "users", "a-b")] == ["users", "users", "a-b"]
