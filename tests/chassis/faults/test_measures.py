"""Metrics of faults: exact, from the beginning, and bounded."""

import pytest

from chassis.faults.contract import MAX_EXPERIMENTS, MAX_NAME, NewFault, plain
from chassis.metrics import Metrics
from resilience.testing import FakeClock
from tests.chassis.faults.faulted import Faulted, new_point


def sample(metrics: Metrics, name: str, experiment: str, fault: str = "abort") -> float | None:
    labels = {"experiment": experiment, "service": "echo", "fault": fault}
    return metrics.registry.get_sample_value(name, labels)


async def test_a_fault_shows_from_its_beginning_to_its_end(
    faulted: Faulted, clock: FakeClock
) -> None:
    """The gauge is 1 for as long as the lease lasts and 0 afterwards; the counter starts at 0 and stays."""
    metrics = faulted.running.metrics
    await faulted.inject("error", lease=10, experiment="users-slow")
    assert sample(metrics, "chaos_fault_active", "users-slow", "error") == 1
    assert sample(metrics, "chaos_faults_injected_total", "users-slow", "error") == 0

    await faulted.say()
    await faulted.say()
    await clock.advance(10)

    assert sample(metrics, "chaos_fault_active", "users-slow", "error") == 0
    assert sample(metrics, "chaos_faults_injected_total", "users-slow", "error") == 2


async def test_names_are_bounded(clock: FakeClock) -> None:
    """However many experiments there are, only so many become labels; the others share one."""
    metrics = Metrics()
    point = new_point(metrics, clock)
    for number in range(MAX_EXPERIMENTS + 5):
        wanted = NewFault(type="abort", lease_seconds=60, experiment=f"experiment-{number}")
        point.end(point.add(wanted).id)

    families = {family.name: family for family in metrics.registry.collect()}
    names = {one.labels["experiment"] for one in families["chaos_fault_active"].samples}
    assert len(names) == MAX_EXPERIMENTS + 1
    assert "other" in names
    assert all(one.value == 0 for one in families["chaos_fault_active"].samples)


@pytest.mark.parametrize(
    ("name", "label"),
    [("users-slow", "users-slow"), ("", "none"), ("Ana <ana@example.com>", "Ana-ana-example.com-")],
)
def test_names_are_plain(name: str, label: str) -> None:
    """Whatever an experiment is called, no line of a log or page can be forged by it."""
    assert plain(name) == label
    assert len(plain("x" * 1_000)) == MAX_NAME
