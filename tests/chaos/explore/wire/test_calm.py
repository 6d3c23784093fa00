"""What the policies' metrics say of the calm between experiments."""

from chaos.explore.wire.calm import cache_failures, changes, is_open
from chassis.metrics import Metrics
from chassis.policy_metrics import PolicyMetrics


def page(metrics: Metrics) -> str:
    return metrics.expose("text/plain")[0].decode()


def test_the_counters_are_those_of_the_policies() -> None:
    """Every counter that is watched exists under its name, and its growth is seen."""
    metrics = Metrics()
    policies = PolicyMetrics(metrics, ["users", "postgres"])
    assert changes(page(metrics)) == 0

    policies._exhausted.labels("users").inc()
    policies._rejections.labels("users", "breaker_open").inc(2)
    policies._transitions.labels("users", "closed", "open").inc()
    assert changes(page(metrics)) == 4

    policies._exhausted.labels("postgres").inc()  # which is nobody's downstream here
    assert changes(page(metrics)) == 4


def test_an_open_breaker_is_no_calm() -> None:
    """A breaker that is open or probing must be waited for; one of another kind of part need not."""
    metrics = Metrics()
    policies = PolicyMetrics(metrics, ["ledger", "valkey"])

    policies._states.labels("valkey", "open").set(1)
    policies._states.labels("ledger", "closed").set(1)
    assert not is_open(page(metrics))
    policies._states.labels("ledger", "half_open").set(1)
    assert is_open(page(metrics))


def test_a_cache_that_was_late_is_seen() -> None:
    """A call of the cache that failed or was not made may have left an old profile there."""
    metrics = Metrics()
    policies = PolicyMetrics(metrics, ["valkey", "ledger"])
    policies._calls.labels("valkey", "ok").observe(0.01)
    policies._calls.labels("ledger", "timeout").observe(1.0)  # a fault on purpose
    assert cache_failures(page(metrics)) == 0

    policies._calls.labels("valkey", "timeout").observe(0.05)
    policies._rejections.labels("valkey", "breaker_open").inc()
    assert cache_failures(page(metrics)) == 2
