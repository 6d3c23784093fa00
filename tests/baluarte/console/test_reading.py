"""What is read of a process' page."""

import re

import pytest

from baluarte.console import reading
from baluarte.console.reading import read
from tests.baluarte.console.grounds import Process
from tests.servers import HOUSES


@pytest.fixture
def gateway() -> Process:
    return Process("users", "valkey", operations=True)


def test_every_name_is_one_that_processes_tell() -> None:
    """A metric that is renamed must not leave the console with a convincing nothing."""
    listed = set(re.findall(r"^\| `(\w+)` \|", (HOUSES / "docs/metrics.md").read_text(), re.M))
    bases = {re.sub(r"_(bucket|count)$", "", name) for name in reading._NAMES}
    assert bases <= listed


def test_operations_are_summed_over_their_names(gateway: Process) -> None:
    """By outcome, and by how long they took."""
    gateway.answered(3, "ok", 0.004)
    gateway.answered(1, "error", 0.3)
    found = read(gateway.page(), 7.0)
    assert found.at == 7.0
    assert found.operations == {"ok": 3, "degraded": 0, "client_error": 0, "error": 1}
    assert (found.buckets[0.005], found.buckets[0.25], found.buckets[0.5]) == (3, 3, 4)
    assert found.buckets[float("inf")] == 4


def test_calls_and_breakers_are_told_by_downstream(gateway: Process) -> None:
    """What failed is what the downstream is to blame for; what a client got wrong is not."""
    for outcome, many in (("ok", 4), ("client_error", 2), ("timeout", 1), ("server_error", 3)):
        for _ in range(many):
            gateway.calls.labels("users", outcome).observe(0.01)
    gateway.refused.labels("users", "breaker_open").inc(5)
    gateway.changed.labels("users", "closed", "open").inc(2)
    gateway.changed.labels("users", "open", "half_open").inc(9)
    gateway.copies.labels("users", "stale").inc(6)
    gateway.breaker("users", "open")
    found = read(gateway.page(), 0.0)
    users = found.calls["users"]
    assert (users.all, users.bad, users.refused) == (10, 4, 5)
    assert found.breakers == {"users": "open", "valkey": "closed"}
    assert found.opened == {"users": 2, "valkey": 0}
    assert found.stale == 6


def test_the_ledgers_check_is_read() -> None:
    """Sums by currency and law, and when; before the first check nothing is known."""
    ledger = Process("users", checks=True)
    assert read(ledger.page(), 0.0).checked is None
    ledger.sums.labels("USD", "held").set(-7)
    ledger.checked.set(123.0)
    found = read(ledger.page(), 0.0)
    assert found.imbalance == {("BRL", "balances"): 0, ("USD", "held"): -7}
    assert found.checked == 123.0


@pytest.mark.parametrize(
    "page",
    [
        "",
        "nonsense",
        "circuit_breaker_state",
        "circuit_breaker_state{service= 1",
        'downstream_call_duration_seconds_count{service="a"} many',
        'graphql_operation_duration_seconds_bucket{le="wide"} 1.0',
        'ledger_imbalance_minor_units{currency="BRL",law="x"} NaN',
        "<html>not here</html>",
    ],
)
def test_what_makes_no_sense_is_left_out(page: str) -> None:
    """A page of somebody else's, or of a version to come, ends nothing."""
    found = read(page + "\n", 1.0)
    assert not any(found.operations.values())
    assert not found.imbalance
    assert not any(calls.all for calls in found.calls.values())
